# SPDX-License-Identifier: Apache-2.0
# A guest that runs, with all its disks in Ceph, which are read on a bridge: it stands still on its own
# host meanwhile, and goes on whatever dies.

load bridge.bash
# shellcheck source=tests/faults/shim.bash
source "$ROOT/tests/faults/shim.bash"

setup_file() {
    hypervisor_start
    ceph_start
    bridges_start
    qemu-img convert -f qcow2 -O raw "$GUEST/root.qcow2" "rbd:one/one-9:conf=$CEPH_CONF"
    qemu-img convert -f qcow2 -O raw "$GUEST/second.qcow2" "rbd:$VOLATILE:conf=$CEPH_CONF"
    guest_define --rate 50 lab "$BATS_FILE_TMPDIR/console" rbd:one/one-9 rbd:$VOLATILE
    guest_start lab
    guest_works "$BATS_FILE_TMPDIR/console"
}

setup() {
    bridge_setup
    step_pid=
    rm -f "$VM_DIR/backup.log"
}

teardown() {
    touch "$BATS_TEST_TMPDIR/go"
    shim_end
    [ ! -e "$VMVAULT_VAR/running/$VM_ID.prebackup" ] || kill -KILL "$(front_end)" 2>/dev/null || true
    bridge_programs_end
    bridge_teardown postbackup_live
}

front_end() { cut -d' ' -f1 "$VMVAULT_VAR/running/$VM_ID.prebackup"; }
frozen() { [ "$(guest_fs lab)" = frozen ]; }
free() { guest_is lab running && ! frozen; }
no_snapshots_left() { [ -z "$(snapshots one/one-9)$(snapshots $VOLATILE)" ]; }

# next_works: the guest is well, and so is the next backup
next_works() {
    guest_works "$BATS_FILE_TMPDIR/console"
    bridge_programs_end
    taken backup_live -1 AGENT
    [ "$(result_of .freeze.consistent)" = true ]
}

# clean_or_waits: the bridge has cleaned up, or waits for what was begun
clean_or_waits() {
    if on_bridge test -e "$VM_DIR/bridge/backup.journal"; then
        on_bridge grep -q 'waiting for process' "$VM_DIR/bridge/backup.log"
    fi
}

# at_once: the guest did not have to wait for the deadline
at_once() { run -1 grep 'stood still for too long' "$VM_DIR/backup.log"; }

# undone: after the failed step nothing is owed, before postbackup and after
undone() {
    eventually free
    eventually no_snapshots_left
    step postbackup_live -1 AGENT
    nothing_left
}

@test "frozen by its agent, paused, and neither: full and increments that the guest judges" {
    taken backup_live -1 AGENT
    [ "$(result_of '.live and .freeze.consistent and .freeze.seconds > 0')" = true ]
    guest_works "$BATS_FILE_TMPDIR/console"
    HOST=kvm1 taken backup_live 0 SUSPEND
    [ "$(result_of '[.disks[].kind, .freeze.consistent] | join(" ")')" = 'increment increment true' ]
    guest_works "$BATS_FILE_TMPDIR/console"
    BRIDGE=bridge2 taken backup_live 1
    # Paused, for two disks that are taken one after the other.
    [ "$(result_of '(.freeze.consistent | not) and .freeze.seconds > 0')" = true ]
    [ "$(result_of .freeze.why)" = 'no freeze was asked for' ]
    free
    restore 0 0 2 "$BATS_TEST_TMPDIR/root.raw"
    restore 1 0 2 "$BATS_TEST_TMPDIR/second.raw"
    guest_inspect "$BATS_TEST_TMPDIR/root.raw" "$BATS_TEST_TMPDIR/second.raw"
    guest_works "$BATS_FILE_TMPDIR/console"
}

@test "an agent that does not answer: one line, and nothing was taken" {
    # Not before it is about to be asked: it sleeps for as long as a guest that cannot be told otherwise.
    shim_run 'backup_host still:main:before' step prebackup_live -1 AGENT
    # shellcheck disable=SC2016 # for the guest
    guest_begins lab 'p=$(pidof qemu-ga); sleep 1; kill -STOP $p; echo agent asleep >/dev/console; sleep 30; kill -CONT $p'
    eventually grep -qa 'agent asleep' "$BATS_FILE_TMPDIR/console"
    shim_go_on
    if wait "$shim_command"; then false; fi
    grep -v '^[A-Z]*: ' "$BATS_TEST_TMPDIR/shim.out" >"$BATS_TEST_TMPDIR/said"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 1 ]
    grep -q agent "$BATS_TEST_TMPDIR/said"
    no_snapshots_left
    eventually guest_ping lab
    step postbackup_live -1 AGENT
    nothing_left
    next_works
}

@test "a cancel while the guest stands still: it goes on, and nothing is left" {
    held_in_take prebackup_live -1 AGENT
    frozen
    kill -TERM "$(front_end)"
    eventually free
    touch "$BATS_TEST_TMPDIR/go"
    step_failed '^cancelled'
    at_once
    undone
    next_works
}

@test "a cancel when the freeze has just begun" {
    shim_run 'backup_host still:virDomainFSFreeze:after' step prebackup_live -1 AGENT
    frozen
    kill -TERM "$(front_end)"
    eventually free
    if wait "$shim_command"; then false; fi
    at_once
    undone
    next_works
}

@test "the front-end's step is killed while the guest stands still: both sides undo" {
    HOST=kvm1
    held_in_take prebackup_live -1 AGENT
    kill -KILL "$(front_end)"
    eventually free
    touch "$BATS_TEST_TMPDIR/go"
    step_failed
    at_once
    undone
    next_works
}

@test "the bridge's begin is killed while the guest stands still" {
    held_in_take prebackup_live -1 AGENT
    # Also with the program that it began, which makes its snapshot yet.
    kill -KILL "$(bridge_journal pid)"
    step_failed
    eventually clean_or_waits
    touch "$BATS_TEST_TMPDIR/go"
    undone
    next_works
}

@test "the guest's side is killed while the guest stands still: its guard sets it free" {
    held_in_take prebackup_live -1 AGENT
    kill -KILL "$(journal pid)"
    eventually free
    touch "$BATS_TEST_TMPDIR/go"
    step_failed 'backup_host on localhost was killed by SIGKILL'
    at_once
    undone
    next_works
}

@test "the guest's side and its guard are killed: postbackup sets the guest free, or the next backup" {
    held_in_take prebackup_live -1 AGENT
    kill -KILL "$(journal guard)" "$(journal pid)"
    touch "$BATS_TEST_TMPDIR/go"
    step_failed
    frozen
    step postbackup_live -1 AGENT
    free
    nothing_left
    rm "$BATS_TEST_TMPDIR"/{go,taking}
    held_in_take prebackup_live -1 AGENT
    kill -KILL "$(journal guard)" "$(journal pid)"
    touch "$BATS_TEST_TMPDIR/go"
    step_failed
    frozen
    bridge_programs_end
    taken backup_live -1 AGENT
    next_works
}

@test "the way to the guest's host is cut while the guest stands still" {
    HOST=kvm1
    held_in_take prebackup_live -1 AGENT
    # Its parents are sshd's session, and the process that holds the connection.
    local session
    session=$(ps -o ppid= -p "$(journal pid)" | xargs)
    [[ $(ps -o comm= -p "$session") == sshd ]] || session=$(ps -o ppid= -p "$session" | xargs)
    kill -KILL "$session"
    eventually free
    touch "$BATS_TEST_TMPDIR/go"
    step_failed 'backup_host on kvm1 ended with status 255'
    at_once
    undone
    next_works
}

@test "the front-end hangs while the guest stands still: the deadline sets the guest free, and the backup fails" {
    VMVAULT_FREEZE_DEADLINE=1 held_in_take prebackup_live -1 AGENT
    local front_end
    front_end=$(front_end)
    kill -STOP "$front_end"
    eventually free
    touch "$BATS_TEST_TMPDIR/go"
    kill -CONT "$front_end"
    step_failed 'the freeze ended before the backup had begun'
    undone
    next_works
}

@test "the bridge's cluster does not answer: the deadline sets the guest free" {
    bridge_program "$BRIDGE" rbd "[[ \"\$*\" != *'snap create'* ]] || exec sleep 600"
    VMVAULT_CEPH_DEADLINE=4 run -1 --separate-stderr step prebackup_live -1 AGENT
    [[ $stderr == *'did not end'* ]]
    undone
    next_works
}

@test "the exporter, or all that the bridge has of the backup, is killed while the disks are read" {
    step prebackup_live -1 NONE FULL
    kill -KILL "$(bridge_journal exporter)"
    eventually no_snapshots_left
    step postbackup_live -1 NONE FULL
    nothing_left
    step prebackup_live -1 NONE FULL
    kill -KILL "$(bridge_journal guard)" "$(bridge_journal exporter)"
    BRIDGE=bridge2 taken backup_live -1 AGENT
    [ "$(snapshots $VOLATILE)" = one_backup_0 ]
}
