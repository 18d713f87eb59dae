# SPDX-License-Identifier: Apache-2.0
# The repository on a server, and the files on another machine: both are a private sshd on loopback.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    sftp_setup
    export VMVAULT_REMOTE_DIR=$BUILD
    with_repository
    sequential "$FILES/disk.0.0" 40 0=a 3=b
    write_vm_xml
}
teardown() { sftp_teardown; }

# calls: what ssh was asked to do, one per line; for after trace_ssh
trace_ssh() {
    local bin=$BATS_TEST_TMPDIR/trace
    mkdir "$bin"
    printf '#!/bin/sh\necho "$*" >>%q\nexec %q "$@"\n' "$BATS_TEST_TMPDIR/calls" "$(command -v ssh)" >"$bin/ssh"
    chmod +x "$bin/ssh"
    export PATH=$bin:$PATH
}

@test "a backup of another host's files goes from there to the server, and comes back" {
    publish_datastore
    trace_ssh
    backup_ok node1
    [[ $output =~ ^[0-9a-f]{8}\ 1\ raw$ ]]
    [ "$(snapshots)" = "$ID" ]
    grep -q -- "-- node1 $BUILD/datastore/host/run" "$BATS_TEST_TMPDIR/calls"
    run ! grep -F "$PASSWORD" "$BATS_TEST_TMPDIR/calls"
    "$BUILD/datastore/restic/downloader" --stream "restic://100//0:$ID$FILES/disk.0.0" | cmp - "$FILES/disk.0.0"
    run -0 --separate-stderr image_action rm "$(image "0:$ID")" 57
    [ -z "$(snapshots)" ]
}

@test "this machine's own files need no ssh but the store's" {
    trace_ssh
    backup_ok "$(hostname)"
    run ! grep -q host/run "$BATS_TEST_TMPDIR/calls"
    grep -q -- '-s bk1 sftp' "$BATS_TEST_TMPDIR/calls"
}

@test "the agent of this machine is lent to the other host, unless it has a key of its own" {
    trace_ssh
    backup_ok node1
    grep -q -- '-o ForwardAgent=yes .*-- node1' "$BATS_TEST_TMPDIR/calls"
    rm "$BATS_TEST_TMPDIR/calls"
    VMVAULT_FORWARD_AGENT=no backup_ok node1
    grep -q -- '-o ForwardAgent=no .*-- node1' "$BATS_TEST_TMPDIR/calls"
    run ! grep ForwardAgent=yes "$BATS_TEST_TMPDIR/calls"
    VMVAULT_FORWARD_AGENT=maybe run -2 --separate-stderr backup node1
    one_line 'FORWARD_AGENT'
}

@test "the bridge that the core chose does the work" {
    trace_ssh
    BRIDGE='<LAST_BRIDGE>bridge3</LAST_BRIDGE>'
    backup_ok node1
    grep -q -- '-- bridge3 ' "$BATS_TEST_TMPDIR/calls"
    run ! grep -q node1 "$BATS_TEST_TMPDIR/calls"
}

@test "every connection ends when the other side falls silent" {
    trace_ssh
    backup_ok node1
    run ! grep -v ServerAliveInterval "$BATS_TEST_TMPDIR/calls"
}

@test "a server that turns one of many connections away is asked again" {
    publish_datastore
    backup_ok
    local bin=$BATS_TEST_TMPDIR/busy
    mkdir "$bin"
    # The first connection lists the snapshots, the second is for the disk.
    cat >"$bin/ssh" <<SH
#!/bin/sh
echo >>'$BATS_TEST_TMPDIR/connections'
[ "\$(wc -l <'$BATS_TEST_TMPDIR/connections')" -ne 2 ] || {
    echo 'kex_exchange_identification: Connection closed by remote host' >&2
    exit 255
}
exec '$(command -v ssh)' "\$@"
SH
    chmod +x "$bin/ssh"
    PATH=$bin:$PATH "$BUILD/datastore/restic/downloader" --stream "restic://100//0:$ID$FILES/disk.0.0" |
        cmp - "$FILES/disk.0.0"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/connections")" -eq 3 ]
}

@test "a password with quotes and a newline travels to the other host" {
    rm -r "$BASE/12"
    PASSWORD=$'it\'s "so"\n `id` $HOME ü'
    backup_ok node1
    [ "$(snapshots)" = "$ID" ]
}

@test "a host that cannot be reached is named" {
    run -1 --separate-stderr backup unreachable
    one_line "cannot reach 'unreachable'"
}

@test "a server that cannot be reached is an error, and never makes a repository" {
    rm -r "$BASE/12"
    BACKEND="<RESTIC_SFTP_SERVER>unreachable</RESTIC_SFTP_SERVER>"
    run -1 --separate-stderr backup node1
    one_line 'cannot open'
    [ -z "$(ls "$BASE")" ]
}

@test "a host without vmvault is named, with the remedy" {
    VMVAULT_REMOTE_DIR=$BATS_TEST_TMPDIR/nothing run -1 --separate-stderr backup node1
    one_line "vmvault is not installed on 'node1'"
}

@test "cancelled in the middle: restic over there has ended, no snapshot and no lock stay" {
    backup_ok node1
    first=$ID
    EXTRA='<RESTIC_BWLIMIT>2000</RESTIC_BWLIMIT>'
    head -c 40000000 /dev/urandom >"$FILES/disk.0.0"
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    before=$(find "$BASE/12/data" -type f | wc -l)
    "$BUILD/datastore/restic/backup" "node1:$VMDIR" 0 one-12 - 12 0 \
        <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$!
    eventually has_more
    run -0 "$BUILD/datastore/restic/backup_cancel" "node1:$VMDIR" one-12 <<<'<VM><ID>12</ID></VM>'
    status=0; wait $pid || status=$?
    [ $status -eq 143 ]
    [ -z "$(lock_files "$BASE/12")" ]
    [ "$(snapshots)" = "$first" ]
}
has_more() { [ "$(find "$BASE/12/data" -type f | wc -l)" -gt "$before" ] && [ -n "$(lock_files "$BASE/12")" ]; }

@test "monitor asks the server, and its silence is a failure" {
    rm -r "$BASE"
    run -0 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    [[ $output =~ ^USED_MB=[0-9]+$'\n'TOTAL_MB=[0-9]+$'\n'FREE_MB=[0-9]+$ ]]
    [ -d "$BASE" ]
    BACKEND="<RESTIC_SFTP_SERVER>unreachable</RESTIC_SFTP_SERVER>"
    run -1 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    one_line 'unreachable'
}

@test "flatten: a chain on a server, by names that go up to it and back" {
    publish_datastore
    trace_ssh
    local n chain=''
    for n in 0 1 2; do
        rm -f "$FILES"/disk.*
        sequential "$FILES/disk.0.$n" 40 "$n=a" 30="$n"
        cp "$FILES/disk.0.$n" "$BATS_TEST_TMPDIR/"
        write_vm_xml
        LAST=$((n - 1)) backup_ok node1
        chain+=" $n:$ID"
    done
    # shellcheck disable=SC2086
    run -0 --separate-stderr action datastore/restic/increment_flatten 57 \
        < <(request "$(image $chain)" "$(datastore)" '<EXTRA_DATA><KEEP_LAST>1</KEEP_LAST></EXTRA_DATA>')
    id=${output##*:}
    [ "$(snapshots)" = "$id" ]
    run ! grep -F "$PASSWORD" "$BATS_TEST_TMPDIR/calls"
    for n in 1 2; do
        qemu-img rebase -u -f qcow2 -F qcow2 -b "$BATS_TEST_TMPDIR/disk.0.$((n - 1))" "$BATS_TEST_TMPDIR/disk.0.$n"
    done
    "$BUILD/datastore/restic/downloader" --stream "restic://100//2:$id$FILES/disk.0.2" >"$BATS_TEST_TMPDIR/out"
    qemu-img compare -q "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/disk.0.2"
}
