# SPDX-License-Identifier: Apache-2.0
# Whoever dies in the middle of a capture that copies: the guest runs on, and the next backup just
# works.

load helper.bash

setup_file() {
    export VMVAULT_EXPORT=copy
    hypervisor_start
    mkdir -p "$VM_DIR"
    guest_overlay "$VM_DIR/disk.0"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 1G
    qemu-io -c 'write -P 7 0 600M' "$VM_DIR/disk.1" >/dev/null
    guest_define --rate 50 lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0" "$VM_DIR/disk.1"
    guest_start lab
    DISKS='0 1' step prebackup_live -1
    step postbackup_live -1
}

teardown_file() { hypervisor_stop; }

teardown() {
    [ -z "${host_pid-}" ] || kill -KILL "$host_pid" 2>/dev/null || true
}

frozen() { [ "$(guest_fs lab)" = frozen ]; }
free() { guest_is lab running && ! frozen; }

# next_works: the next increment is one, and holds what changed
next_works() {
    guest_works "$BATS_FILE_TMPDIR/console"
    DISKS='0 1' step prebackup_live 0
    run -0 jq -r '.disks[].kind' "$VM_DIR/backup/vmvault.json"
    [ "$output" = $'increment\nincrement' ]
    qemu-img check -q "$VM_DIR/backup/disk.0.1"
    step postbackup_live 0
    clean
}

@test "backup_host is killed while the file systems are frozen: the guest is thawed" {
    DISKS='0 1' at_moment frozen prebackup_live 0 AGENT
    kill -KILL "$host_pid"
    step_failed
    eventually free
    step postbackup_live 0
    clean
    next_works
}

@test "backup_host is killed while the guest is paused: the guest runs on" {
    DISKS='0 1' at_moment paused prebackup_live 0 SUSPEND
    kill -KILL "$host_pid"
    step_failed
    eventually free
    step postbackup_live 0
    clean
    next_works
}

# What the agent tells of its system comes from this file.
@test "a Windows guest is not frozen for as long as others, unless it is said how long" {
    guest_exec lab sh -c 'echo ID=mswindows >/etc/os-release'
    DISKS='0 1' at_moment frozen prebackup_live 0 AGENT
    grep -q 'a Windows guest: it is frozen for at most 8 s' "$BATS_TEST_TMPDIR/err"
    eventually free
    kill -CONT "$host_pid"
    wait "$step_pid" || true
    step postbackup_live 0
    VMVAULT_FREEZE_DEADLINE=100 run -0 --separate-stderr step prebackup_live 0 AGENT
    [[ $stderr != *Windows* ]]
    step postbackup_live 0
    guest_exec lab rm /etc/os-release
    run -0 --separate-stderr step prebackup_live 0 AGENT
    [[ $stderr != *Windows* ]]
    step postbackup_live 0
    next_works
}

@test "backup_host hangs while the guest is paused: the deadline sets the guest free" {
    export VMVAULT_FREEZE_DEADLINE=1
    DISKS='0 1' at_moment paused prebackup_live 0 SUSPEND
    eventually free
    kill -CONT "$host_pid"
    wait $step_pid || true
    step postbackup_live 0
    clean
    next_works
}

@test "backup_host is killed while it copies: its guard ends the job and removes its files" {
    DISKS='0 1' at_moment copies prebackup_live 0
    kill -KILL "$host_pid"
    step_failed
    eventually clean
    free
    next_works
}

@test "the guard is killed while backup_host copies: the backup ends, and says why" {
    DISKS='0 1' at_moment copies prebackup_live 0
    kill -KILL "$(journal guard)"
    kill -CONT "$host_pid"
    step_failed
    grep -q '^the guard of the backup died' "$BATS_TEST_TMPDIR/err"
    clean
    free
    next_works
}

@test "backup_host and its guard are killed while they copy: postbackup cleans up" {
    DISKS='0 1' at_moment copies prebackup_live 0
    kill -KILL "$(journal guard)" "$host_pid"
    step_failed
    step postbackup_live 0
    clean
    free
    next_works
}

@test "backup_host and its guard are killed while they copy: the next backup cleans up itself" {
    DISKS='0 1' at_moment copies prebackup_live 0
    kill -KILL "$(journal guard)" "$host_pid"
    step_failed
    next_works
}

@test "backup_host is killed while it ends the backup: it is done again" {
    local page=$BATS_TEST_TMPDIR/calls-page
    DISKS='0 1' step prebackup_live 0
    truncate -s 4096 "$page"
    LD_PRELOAD=$BUILD/tests/faults/calls.so CALLS_FILE=$page CALLS_PROGRAM='host/backup_host end' CALLS_FAULT=kill:2 \
        ASAN_OPTIONS=verify_asan_link_order=0 step postbackup_live 0
    [ "$(od -An -td8 -j40 -N8 "$page" | xargs)" -eq 1 ]   # it was
    clean
    free
    next_works
}

@test "the front-end's step is killed: backup_host undoes by itself" {
    DISKS='0 1' at_moment begun prebackup_live 0
    kill -KILL $step_pid "$(ps -o ppid= -p "$host_pid" | xargs)" || true
    kill -CONT "$host_pid"
    eventually is_gone "$host_pid"
    clean
    free
    [[ $(checkpoints) != *one-77-1* ]]
    next_works
}

@test "a cancelled step says so, and nothing is left" {
    DISKS='0 1' at_moment begun prebackup_live 0
    local step
    step=$(ps -o ppid= -p "$host_pid" | xargs)
    kill -TERM "$step"
    kill -CONT "$host_pid"
    step_failed
    eventually is_gone "$host_pid"
    grep -q cancelled "$BATS_TEST_TMPDIR/err"
    clean
    free
    [[ $(checkpoints) != *one-77-1* ]]
    next_works
}

@test "qemu is killed while its disks are copied: one clear line, and the next increment is whole" {
    DISKS='0 1' at_moment copies prebackup_live 0
    kill -KILL "$(cat "$BATS_FILE_TMPDIR"/virt/run/qemu/lab.pid)"
    kill -CONT "$host_pid"
    step_failed
    run -0 grep -vE '^(ERROR|WARN|INFO|DEBUG):' "$BATS_TEST_TMPDIR/err"
    [ "${#lines[@]}" -eq 1 ]
    eventually guest_is lab 'shut off'
    step postbackup_live 0
    [ ! -e "$VM_DIR/backup" ]
    guest_start lab
    DISKS='0 1' step prebackup_live 0
    run -0 jq -r '.disks[] | "\(.kind) \(.why != "")"' "$VM_DIR/backup/vmvault.json"
    [ "$output" = $'whole true\nwhole true' ]
    qemu-img compare -U -q "$VM_DIR/backup/disk.1.1" "$VM_DIR/disk.1"
    step postbackup_live 0
    clean
}
