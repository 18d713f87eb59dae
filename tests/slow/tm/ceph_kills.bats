# SPDX-License-Identifier: Apache-2.0
# Backups of disks in Ceph that are killed or cancelled at each of their steps, or a program fails there: nothing
# stays, and the chain goes on.

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

# at_call N LINE: at the N-th call of rbd or qemu-nbd this line of bash is run, and the call goes on
at_call() {
    local name
    : >"$BIN/count"   # a byte for each: who is killed while he counts leaves no other number
    for name in rbd qemu-nbd; do
        cat >"$BIN/$name" <<SH
#!/bin/bash
exec 9>>'$BIN/lock'
flock 9
printf . >>'$BIN/count'
n=\$(stat -c %s '$BIN/count')
exec 9>&-
[ \$n != $1 ] || { $2; }
exec '$(PATH=${PATH#"$BIN":} command -v $name)' "\$@"
SH
        chmod +x "$BIN/$name"
    done
}
kills_at() { at_call "$1" 'kill -KILL $PPID'; }
was_reached() { [ "$(stat -c %s "$BIN/count")" -ge "$1" ]; }

# attempt PARENT MODE: a backup that may die at any of its steps, and says why in $BATS_TEST_TMPDIR/why
attempt() {
    died=yes
    PATH=$BIN:$PATH step prebackup_live "$1" NONE "$2" 2>"$BATS_TEST_TMPDIR/why" 3>&- || return 0
    died=
    cat "$VM_DIR"/backup/disk.* >/dev/null 2>&1 || true
    PATH=$BIN:$PATH step postbackup_live "$1" NONE "$2" 2>/dev/null 3>&-
}
# all_were_reached: the last attempt had fewer calls, and nothing happened to it
all_were_reached() { [ -z "$died" ] || { cat "$BATS_TEST_TMPDIR/why"; return 1; }; }

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
        attempt -1 FULL
        eventually clean
        was_reached $n || break
        # A rbd that was at work then may end after its guard has looked; the next backup finds that.
        step prebackup_live -1 NONE FULL
        step postbackup_live -1 NONE FULL
        eventually clean
        [ -z "$(snapshots one/one-9)$(snapshots $VOLATILE)" ] || { echo "killed at call $n"; return 1; }
    done
    all_were_reached
    [ $n -gt 8 ]
}

@test "an increment: the parent's snapshots stay, and the next one has all that has changed" {
    increment -1
    disk_write lab 0 'write -P 3 1M 128k'
    disk_write lab 1 'write -P 4 20M 64k'
    local n
    for ((n = 1; n < 100; n++)); do
        kills_at $n
        attempt 0 INCREMENT
        eventually clean
        [[ $(snapshots one/one-9) == one_backup_0* ]] || { echo "killed at call $n"; return 1; }
        [[ $(snapshots $VOLATILE) == one_backup_0* ]] || { echo "killed at call $n"; return 1; }
        was_reached $n || break
    done
    all_were_reached
    [ $n -gt 8 ]
    increment 0
    [ "$(result '[.disks[].kind] | unique[]')" = increment ]
    restores 0 0 1 "$BATS_TEST_TMPDIR/ref.0.1"
    restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"
}

is_right() { restores 0 0 1 "$BATS_TEST_TMPDIR/ref.0.1" && restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"; }

@test "a program that fails: one line of why, or a backup with the right bytes" {
    increment -1
    disk_write lab 0 'write -P 5 1M 128k'
    disk_write lab 1 'write -P 6 20M 64k'
    image_now one/one-9 "$BATS_TEST_TMPDIR/ref.0.1"
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref.1.1"
    local n
    for ((n = 1; n < 100; n++)); do
        at_call $n 'echo a broken program >&2; exit 5'
        if PATH=$BIN:$PATH step prebackup_live 0 2>"$BATS_TEST_TMPDIR/why" 3>&-; then
            keep 1
            is_right || { echo "it failed at call $n"; return 1; }
        else
            [ "$(grep -vc '^[A-Z]*: ' "$BATS_TEST_TMPDIR/why")" -eq 1 ]
            grep -q 'a broken program' "$BATS_TEST_TMPDIR/why" || { cat "$BATS_TEST_TMPDIR/why"; return 1; }
        fi
        PATH=$BIN:$PATH step postbackup_live 0 2>/dev/null 3>&-
        eventually clean
        [[ $(snapshots one/one-9) == one_backup_0* && $(snapshots $VOLATILE) == one_backup_0* ]]
        was_reached $n || break
    done
    [ $n -gt 8 ]
    increment 0
    is_right
}

@test "a cancel while a program runs: the step says so, nothing of the backup is left, and the next one works" {
    increment -1
    disk_write lab 0 'write -P 7 1M 128k'
    local n pid
    for ((n = 1; n < 100; n++)); do
        rm -f "$BIN"/{waits,go_on}
        at_call $n "touch '$BIN/waits'; until [ -e '$BIN/go_on' ]; do sleep 0.05; done"
        PATH=$BIN:$PATH step prebackup_live 0 2>"$BATS_TEST_TMPDIR/why" 3>&- &
        pid=$!
        eventually waits_or_ends $pid
        [ ! -e "$BIN/waits" ] || kill -TERM "$(cut -d' ' -f1 "$VMVAULT_VAR/running/$VM_ID.prebackup")"
        touch "$BIN/go_on"
        if wait $pid; then
            [ ! -e "$BIN/waits" ] || { echo "not cancelled at call $n"; return 1; }
        else
            grep -q '^cancelled' "$BATS_TEST_TMPDIR/why" || { cat "$BATS_TEST_TMPDIR/why"; return 1; }
        fi
        PATH=$BIN:$PATH step postbackup_live 0 3>&-
        eventually clean
        [ -e "$BIN/waits" ] || break
        [ "$(snapshots one/one-9) $(snapshots $VOLATILE)" = 'one_backup_0 one_backup_0' ] || { echo "cancelled at call $n"; return 1; }
    done
    [ $n -gt 8 ]
    increment 0
    is_right
}
waits_or_ends() { [ -e "$BIN/waits" ] || is_gone "$1"; }
