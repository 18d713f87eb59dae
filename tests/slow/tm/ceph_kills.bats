# SPDX-License-Identifier: Apache-2.0
# Backups of disks in Ceph that are killed at each of their steps: nothing stays, and the chain goes on.

load ../../tm/ceph/helper.bash

setup_file() {
    hypervisor_start
    ceph_start
    rbd create --size 24M $VOLATILE
    rbd create --size 24M one/one-9
    image_write $VOLATILE 'write -P 1 0 3M'
    image_write one/one-9 'write -P 2 5M 1M'
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" rbd:one/one-9 rbd:$VOLATILE
    virsh -q start lab --paused
}

teardown_file() {
    hypervisor_stop
    ceph_stop
}

setup() {
    DISKS='one/one-9 volatile:one'
    CHAIN=$BATS_TEST_TMPDIR/chain
    BIN=$BATS_TEST_TMPDIR/bin
    mkdir "$BIN"
}

# kills_at N: whoever makes the N-th call of rbd or qemu-nbd is killed, and the call goes on
kills_at() {
    local name
    echo 0 >"$BIN/count"
    for name in rbd qemu-nbd; do
        cat >"$BIN/$name" <<SH
#!/bin/bash
exec 9>>'$BIN/lock'
flock 9
n=\$((\$(<'$BIN/count') + 1))
echo \$n >'$BIN/count'
[ \$n != $1 ] || kill -KILL \$PPID
exec 9>&-
exec '$(PATH=${PATH#"$BIN":} command -v $name)' "\$@"
SH
        chmod +x "$BIN/$name"
    done
}
was_reached() { [ "$(<"$BIN/count")" -ge "$1" ]; }

# attempt PARENT MODE: a backup that may die at any of its steps
attempt() {
    PATH=$BIN:$PATH step prebackup_live "$1" NONE "$2" 3>&- || return 0
    cat "$VM_DIR"/backup/disk.* >/dev/null || true
    PATH=$BIN:$PATH step postbackup_live "$1" NONE "$2" 3>&-
}

# increment PARENT: one that nobody disturbs
increment() {
    image_now one/one-9 "$BATS_TEST_TMPDIR/ref.0.$(($1 + 1))"
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref.1.$(($1 + 1))"
    step prebackup_live "$1"
    keep $(($1 + 1))
    step postbackup_live "$1"
    eventually clean
}

@test "a full backup: no snapshot of it is left" {
    local n
    for ((n = 1; n < 100; n++)); do
        kills_at $n
        attempt -1 FULL 2>/dev/null
        eventually clean
        was_reached $n || break
        # A rbd that was at work then may end after its guard has looked; the next backup finds that.
        step prebackup_live -1 NONE FULL
        step postbackup_live -1 NONE FULL
        eventually clean
        [ -z "$(snapshots one/one-9)$(snapshots $VOLATILE)" ] || { echo "killed at call $n"; return 1; }
    done
    [ $n -gt 8 ]
}

@test "an increment: the parent's snapshots stay, and the next one has all that has changed" {
    increment -1
    disk_write lab 0 'write -P 3 1M 128k'
    disk_write lab 1 'write -P 4 20M 64k'
    local n
    for ((n = 1; n < 100; n++)); do
        kills_at $n
        attempt 0 INCREMENT 2>/dev/null
        eventually clean
        [[ $(snapshots one/one-9) == one_backup_0* ]] || { echo "killed at call $n"; return 1; }
        [[ $(snapshots $VOLATILE) == one_backup_0* ]] || { echo "killed at call $n"; return 1; }
        was_reached $n || break
    done
    [ $n -gt 8 ]
    increment 0
    [ "$(result '[.disks[].kind] | unique[]')" = increment ]
    restores 0 0 1 "$BATS_TEST_TMPDIR/ref.0.1"
    restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"
}
