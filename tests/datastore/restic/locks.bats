# SPDX-License-Identifier: Apache-2.0
# Locks of processes on other machines: node7 is a private sshd with a host name of its own.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    "${ON_NODE7[@]}" true 2>/dev/null || skip 'no host names of our own here'
    store_setup
    local line
    line=$("${ON_NODE7[@]}" "$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/sshd" --owner $$) || skip "no private sshd: $line"
    eval "$line"
    sftp_backend
    export VMVAULT_REMOTE_DIR=$BUILD
    with_repository
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    write_vm_xml
    backup_ok node7
    IMAGE=$(image "0:$ID")
}
teardown() { sftp_teardown; }

# "${ON_NODE7[@]}" COMMAND...: become the command, where this machine has that name
ON_NODE7=(unshare -u sh -c 'echo node7 >/proc/sys/kernel/hostname && exec "$@"' -)

# node7_locks: a restic of node7 holds the repository for itself; HOLDER is its number
node7_locks() {
    RESTIC_PASSWORD=$PASSWORD "${ON_NODE7[@]}" restic --no-cache -r "$BASE/12" check --read-data \
        --limit-download 10 >"$BATS_TEST_TMPDIR/check.log" 2>&1 3>&- &
    HOLDER=$!
    eventually is_locked
}
is_locked() { [ -n "$(locks)" ]; }

@test "the lock of a process that died on another host is removed from here, since we know the host" {
    node7_locks
    kill -9 $HOLDER; wait $HOLDER || true
    is_locked
    EXTRA='<RESTIC_LOCK_WAIT>60</RESTIC_LOCK_WAIT>'
    run -0 --separate-stderr image_action rm "$IMAGE" 57
    [ -z "$output$(snapshots)" ]
    run ! is_locked
}

@test "the lock of a living process on another host stays, and its owner is named" {
    node7_locks
    EXTRA='<RESTIC_LOCK_WAIT>1</RESTIC_LOCK_WAIT>'
    run -1 --separate-stderr image_action rm "$IMAGE" 57
    is_locked
    kill -9 $HOLDER; wait $HOLDER || true
    one_line "by PID $HOLDER on node7 (user $(id -un)), whose lock is "
}

@test "a host on which we never worked is not asked" {
    rm "$VMVAULT_VAR/restic-hosts.100.12"
    node7_locks
    kill -9 $HOLDER; wait $HOLDER || true
    EXTRA='<RESTIC_LOCK_WAIT>0</RESTIC_LOCK_WAIT>'
    run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line "on node7"
    is_locked
}
