# SPDX-License-Identifier: Apache-2.0
# Restores in place that were ordered before the service was killed: done once, or not at all.

load restores.bash

setup() { restores_setup; }
teardown() { service_stop; }

# in_place: the program that would do it says that it is half done, and waits for $FAKE/go.restore
in_place() {
    rm -f "$FAKE/go"
    cat >"$VMVAULT_REMOTES/tm/qcow2/restore" <<'SH'
#!/usr/bin/env bash
echo "restore $*" >>"$CALLS"
echo '{"step":"restore","done":4194304,"total":8388608}' >"$VMVAULT_PROGRESS"
until [ -e "$FAKE/go.restore" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done
echo restored >>"$CALLS"
SH
    chmod 755 "$VMVAULT_REMOTES/tm/qcow2/restore"
}
# ordered: as by a service that was killed then
ordered() {
    local note=$VMVAULT_VAR/vms/1000000.restore born
    sql "INSERT INTO restores (vm, image, increment, disk, started) VALUES (1000000, 1, 0, -1, 1)"
    : >"$note"
    born=$(stat -c %.9W "$note")
    echo "1 0 -1 1 $(</proc/sys/kernel/random/boot_id).$(stat -c %Hd.%Ld.%i "$note").${born%.*}.$((10#${born#*.}))" >>"$note"
}

# has_said COUNT WORDS: so many times, in the log
has_said() { [ "$(grep -c -- "$2" "$BATS_TEST_TMPDIR/log")" -eq "$1" ]; }

@test "in place: a service that is killed finds the one that goes on, and it is done once" {
    in_place
    ordered
    powered_off
    service_start 'RPO = 0'
    eventually called "restore localhost:$VMVAULT_VAR/vms/1000000 1000000 1 0 -1"
    [ "$(xmllint --xpath 'string(//DISK/SAVE)' "$VMVAULT_VAR/vms/1000000.xml")" = YES ]
    service_end KILL
    service_start 'RPO = 0'
    eventually has_said 2 ': is restored'   # each of them
    run -1 --separate-stderr vmvault backup vm0
    [[ $stderr == *'works on'* ]]
    touch "$FAKE/go.restore"
    eventually is 'SELECT error, ended IS NULL FROM restores' '|0'
    is 'SELECT active_image IS NULL FROM vms' 1
    eventually grep -q 'its disks are restored' "$BATS_TEST_TMPDIR/log"
    [ "$(grep -c ^restore "$CALLS")" -eq 2 ]   # begun, and done
}

@test "in place: one that fails while its service is gone says why to the next" {
    in_place
    echo 'echo the store is gone >&2; exit 1' >>"$VMVAULT_REMOTES/tm/qcow2/restore"
    ordered
    powered_off
    service_start 'RPO = 0'
    eventually called 'restore .*'
    service_end KILL
    service_start 'RPO = 0'
    eventually has_said 2 ': is restored'
    touch "$FAKE/go.restore"
    eventually grep -q 'could not be restored: .*the store is gone' "$BATS_TEST_TMPDIR/log"
    is "SELECT error LIKE '%the store is gone' FROM restores" 1
    [ "$(calls 'restore .*')" -eq 1 ]
    is 'SELECT active_image FROM vms' 1
}

@test "in place: one that was cut off with its service is not done again" {
    in_place
    sed -i '2i echo $PPID $$ >"$FAKE/pids"' "$VMVAULT_REMOTES/tm/qcow2/restore"
    ordered
    powered_off
    service_start 'RPO = 0'
    eventually called 'restore .*'
    service_end KILL
    # shellcheck disable=SC2046
    kill -KILL $(<"$FAKE/pids")   # as when the power goes: who would note the end of the other one goes first
    touch "$FAKE/go.restore"
    service_start 'RPO = 0'
    eventually is "SELECT error LIKE 'it was cut off%order it again' FROM restores" 1
    [ "$(calls 'restore .*')" -eq 1 ]
    run -1 called restored
    is 'SELECT active_image IS NULL FROM vms' 1   # the disks may be those of the backup
    eventually state runn
    waits vm restore vm0 1
    wait "$command"
    called restored
    service_end TERM
    sql 'UPDATE restores SET ended = NULL'        # as in a copy of the state that was made meanwhile
    service_start 'RPO = 0'
    eventually is "SELECT error LIKE 'it was cut off%' FROM restores" 1
    [ "$(calls 'restore .*')" -eq 2 ]
}

# refused COUNT: the open restore ends as an error, nothing is done beyond the COUNT of before, and the machine's chain goes on
refused() {
    service_start 'RPO = 0'
    eventually is "SELECT error LIKE 'it was ordered before an older state was put back,%order it again' FROM restores" 1
    eventually grep -q 'could not be restored: it was ordered before an older state' "$BATS_TEST_TMPDIR/log"
    [ "$(calls 'restore .*')" -eq "$1" ]
    is 'SELECT active_image FROM vms' 1
    service_end TERM
}

@test "in place: what was not begun in a state that is put back is not begun" {
    local copy=$BATS_TEST_TMPDIR/copy
    in_place
    ordered
    powered_off
    touch "$FAKE/go.restore"
    cp -a "$VMVAULT_VAR" "$copy"
    service_start 'RPO = 0'
    eventually is 'SELECT error, ended IS NULL FROM restores' '|0'
    [ "$(calls 'restore .*')" -eq 1 ]
    [ ! -e "$VMVAULT_VAR/vms/1000000.restore" ]
    service_end TERM
    put_back "$copy"                   # the file of the state alone
    refused 1
    rm -r "$VMVAULT_VAR"
    cp -a "$copy" "$VMVAULT_VAR"       # all of it
    refused 1
}

@test "in place: what was not begun before the machine was booted is not begun" {
    in_place
    ordered
    powered_off
    touch "$FAKE/go.restore"
    sed -i "s/ [0-9a-f]*-[0-9a-f-]*/ 00000000-0000-4000-8000-000000000000/" "$VMVAULT_VAR/vms/1000000.restore"
    refused 0
    # Whoever orders it again gets it.
    service_start 'RPO = 0'
    eventually state runn
    waits vm restore vm0 1
    wait "$command"
    [ "$(calls 'restore .*')" -eq 1 ]
}

@test "in place: what was ordered before a restart begins when the command has left the machine" {
    in_place
    ordered
    touch "$FAKE/go.restore"
    cp "${BATS_TEST_DIRNAME}/waiting_backup" "$VMVAULT_REMOTES/vmm/kvm/backup"
    vmvault backup vm0 3>&- & command=$!
    eventually called 'begins 1000000'
    powered_off
    : >"$CALLS"
    service_start 'RPO = 0'
    eventually has_said 1 'is backed up by the command vmvault'
    eventually called 'monitor 100'   # it has looked for restores by then
    run -1 grep ^restore "$CALLS"
    go
    wait "$command"
    eventually is 'SELECT error, ended IS NULL FROM restores' '|0'
    called restored
}

@test "in place: a machine that runs stays as it is" {
    in_place
    ordered
    touch "$FAKE/go.restore"
    service_start 'RPO = 0'
    eventually is 'SELECT error FROM restores' 'it runs: it must be powered off'
    run -1 grep -q ^restore "$CALLS"
    is 'SELECT active_image FROM vms' 1
}

@test "in place: a disk that has another one below it, as the domain says, stays as it is" {
    in_place
    ordered
    powered_off
    sed -i "s,\(<source file='[^']*'/>\),\1<backingStore type='file'><format type='qcow2'/><source file='/img/base'/></backingStore>," \
        "$BATS_TEST_TMPDIR/node.xml"
    touch "$FAKE/go.restore"
    service_start 'RPO = 0'
    eventually is "SELECT error LIKE '%''/img/base'' below its disk vda,%(virsh edit vm0)' FROM restores" 1
    run -1 grep -q ^restore "$CALLS"
}

@test "in place: a disk that is encrypted stays as it is where the backup has what its guest saw" {
    in_place
    ordered
    powered_off
    sed -i "s,<source file='[^']*'/>,<encryption format='luks'><secret type='passphrase' uuid='$(</proc/sys/kernel/random/uuid)'/></encryption>&," \
        "$BATS_TEST_TMPDIR/node.xml"
    touch "$FAKE/go.restore"
    service_start 'RPO = 0'
    eventually is "SELECT error LIKE '%disk vda is encrypted, and the backup has what its guest saw%' FROM restores" 1
    run -1 grep -q ^restore "$CALLS"
}

state() { [ "$(vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" vm list --csv --no-header -l STAT 2>/dev/null)" = "$1" ]; }

@test "in place, with --wait: how far it is is told, and how it ends; who waits may leave" {
    in_place
    powered_off
    service_start 'RPO = 0'
    eventually state runn
    waits vm restore vm0 1
    eventually said 'restore: 50 %, 4.0 MiB of 8.0 MiB'
    said 'VM 1000000 is being restored from image 1'
    state rest
    kill -TERM "$command"
    status=0; wait "$command" || status=$?
    [ "$status" -eq 143 ]
    said 'goes on'
    touch "$FAKE/go.restore"
    eventually has_said 1 'its disks are restored'
    waits vm restore vm0 1
    wait "$command"
    [ "$(<"$BATS_TEST_TMPDIR/out")" = 'VM 1000000 is restored from image 1' ]
    eventually has_said 2 'its disks are restored'
    printf '#!/bin/sh\necho the store is gone >&2\nexit 1\n' >"$VMVAULT_REMOTES/tm/qcow2/restore"
    waits vm restore vm0 1
    status=0; wait "$command" || status=$?
    [ "$status" -eq 1 ]
    said 'could not be restored from image 1: .*the store is gone'
}
