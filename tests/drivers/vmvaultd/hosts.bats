# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd: hosts that are disabled, offline, and called something else.

load helper

setup() { service_setup; }
teardown() { service_stop; }

names() { vmvault vm list --csv --no-header -l NAME -f STAT!=done | sort | xargs; }
has_names() { [ "$(names)" = "$1" ]; }
are_named() { [ "$(names | wc -w)" -eq "$1" ]; }
kvm2_was_asked_again() { [ "$(calls 'to kvm2')" -ge 2 ]; }
# stat_of KIND NAME
stat_of() { vmvault "$1" list --csv --no-header -l STAT -f "NAME=$2"; }
has_stat() { [ "$(stat_of "$1" "$2")" = "$3" ]; }
queued() { vmvault queue --xml | xmllint --xpath 'string(//WHY)' -; }
# the number of the state that the API says
state() { follows host "$1" && xmllint --xpath 'string(/HOST/STATE)' - <<<"$1"; }

@test "on a disabled host nothing begins, what runs goes on, and machines are found; so it stays over a kill" {
    machines 2
    ready
    api one.vm.backup i:1000000 i:-1 b:0
    eventually called 'begins 1000000'
    vmvault host disable localhost
    [ "$(stat_of host localhost)" = dsbl ]
    [ "$(state "$(api one.host.info i:1)")" = 4 ]
    api one.vm.backup i:1000001 i:-1 b:0
    [ "$(queued)" = 'VM 1000001 waits for host 1, which is disabled' ]
    go
    eventually has_images 1
    machines 3
    eventually has_names 'vm0 vm1 vm2'
    [ "$(stat_of vm vm2)" = runn ]
    run -1 api one.vm.restore i:1000000 i:1 i:-1 i:-1
    [[ $output == '2048 '*'VM 1000000 is on host 1, which is disabled' ]]
    [ "$(curl -sS --max-time 20 --unix-socket "$VMVAULT_VAR/vmvaultd.socket" http://localhost/metrics |
        grep -E '^vmvault_host_(up|enabled)' | xargs -d '\n')" = \
        'vmvault_host_up{host="localhost"} 1 vmvault_host_enabled{host="localhost"} 0' ]
    service_end KILL
    service_start 'RPO = 0'
    machines 4
    eventually has_names 'vm0 vm1 vm2 vm3'
    [ "$(queued)" = 'VM 1000001 waits for host 1, which is disabled' ]
    [ "$(calls 'begins 1000001')" -eq 0 ]
    vmvault host enable localhost
    eventually has_images 2
    eventually has_stat host localhost on
}

@test "an offline host is asked for nothing, its machines are unknown, and when it is enabled it is asked at once" {
    machines 2
    mkdir "$BATS_TEST_TMPDIR/bin"
    # The first connection lasts until it is let go.
    cat >"$BATS_TEST_TMPDIR/bin/ssh" <<SH
#!/bin/bash
echo "to kvm2" >>"$CALLS"
until [ -e "$FAKE/hang-up" ] || [ ! -d "$FAKE" ]; do sleep 0.05; done
exit 1
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ready
    vmvault host create kvm2
    eventually called 'to kvm2'
    vmvault host offline kvm2
    touch "$FAKE/hang-up"
    local count
    for count in 3 4 5; do   # this machine is asked again and again meanwhile
        machines $count
        eventually are_named "$count"
    done
    [ "$(calls 'to kvm2')" -eq 1 ]
    has_stat host kvm2 off
    vmvault host enable kvm2
    eventually kvm2_was_asked_again
    has_stat host kvm2 err

    vmvault host offline localhost
    [ "$(state "$(api one.host.info i:1)")" = 8 ]
    follows host_pool "$(api one.hostpool.info)"
    [ "$(stat_of vm vm0)" = unkn ]
    api one.vm.backup i:1000000 i:-1 b:0
    [ "$(queued)" = 'VM 1000000 waits for host 1, which is offline' ]
    go
    vmvault host enable localhost
    eventually has_images 1
    eventually has_stat vm vm0 runn
}

@test "a host that is renamed keeps its machines, its URI and its queue" {
    machines 2
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s /bin/false "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ready
    vmvault host create kvm2
    vmvault host rename kvm2 kvm9
    [ "$(vmvault host list --csv --no-header -l NAME,URI -f ID=2)" = kvm9,qemu+ssh://kvm2/system ]
    run -1 --separate-stderr vmvault host rename localhost kvm1
    fails_with 1 "always called 'localhost'"
    run -1 --separate-stderr vmvault host rename kvm9 localhost
    fails_with 1 "'localhost' already"
    run -1 api one.host.rename i:7 s:kvm7
    [[ $output == '1024 '* ]]
    run -1 api one.host.status i:7 i:1
    [[ $output == '1024 '* ]]
    local status
    for status in -1 3; do
        run -1 api one.host.status i:2 i:$status
        [[ $output == '4096 '* ]]
    done
    service_end KILL
    PATH=$BATS_TEST_TMPDIR/bin:$PATH ready
    [ "$(vmvault host list --csv --no-header -l ID,NAME | xargs)" = '1,localhost 2,kvm9' ]
    run -1 --separate-stderr vmvault host disable localhost kvm8
    fails_with 1 kvm8
    [ "$(stat_of host localhost)" = on ]
    vmvault host disable localhost kvm9
    [ "$(stat_of host localhost) $(stat_of host kvm9)" = 'dsbl dsbl' ]
    vmvault host delete kvm9
}
