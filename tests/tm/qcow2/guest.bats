# SPDX-License-Identifier: Apache-2.0
# What the guest itself does in the middle of a backup: its agent sleeps, it reboots, it powers off.

load helper.bash

setup_file() {
    export SMALL=$BATS_FILE_TMPDIR/small
    # Before libvirtd: its mount namespace keeps what it began with.
    mkdir "$SMALL"
    [ "$(id -u)" -ne 0 ] || mount -t tmpfs -o size=16m none "$SMALL"
    hypervisor_start
    mkdir -p "$VM_DIR"
    guest_overlay "$VM_DIR/disk.0"
    guest_define --rate 20 lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0"
    guest_start lab
    step prebackup_live -1
    step postbackup_live -1
}

teardown_file() {
    hypervisor_stop
    umount -l "$SMALL" 2>/dev/null || true
}

teardown() {
    rm -f "$SMALL/fill"
    shim_end
    step postbackup_live 0
}

frozen() { [ "$(guest_fs lab)" = frozen ]; }

@test "an agent that falls asleep before the freeze, and obeys when it wakes up: the guest is thawed" {
    VMVAULT_AGENT_TIMEOUT=5 shim_run backup_host:virDomainFSFreeze:before step prebackup_live 0 AGENT
    guest_begins lab 'pid=$(pidof qemu-ga); sleep 1; kill -STOP $pid; echo asleep >/dev/console
        sleep 20; kill -CONT $pid; echo awake >/dev/console'
    eventually grep -qa asleep "$BATS_FILE_TMPDIR/console"
    shim_go_on
    if wait "$shim_command"; then false; fi
    grep -q "freeze the guest" "$BATS_TEST_TMPDIR/shim.out"
    eventually grep -qa awake "$BATS_FILE_TMPDIR/console"
    step postbackup_live 0
    eventually clean
    run -1 frozen
    guest_works "$BATS_FILE_TMPDIR/console"
    step prebackup_live 0 AGENT
    [ "$(jq .freeze.consistent "$VM_DIR/backup/vmvault.json")" = true ]
    step postbackup_live 0
}

# Without a floor nobody else looks at that space.
@test "paused when its backup began, resumed since, and scratch space runs out: the guest runs on" {
    mountpoint -q "$SMALL" || skip 'only root can mount a small file system'
    virsh -q suspend lab
    VMVAULT_SCRATCH_PATH=$SMALL VMVAULT_SCRATCH_FLOOR_MB=0 VMVAULT_SCRATCH_FLOOR_PERCENT=0 step prebackup_live 0
    virsh -q resume lab
    dd if=/dev/zero of="$SMALL/fill" bs=64k 2>/dev/null || true
    eventually has_no_job
    grep -q 'qemu paused the guest for an I/O error' "$VM_DIR/backup.log"
    eventually guest_is lab running
    guest_works "$BATS_FILE_TMPDIR/console"
}

@test "the guest powers off in the middle: the backup fails, and the next one works" {
    step prebackup_live 0
    virsh -q shutdown lab --mode agent
    eventually guest_is lab 'shut off'
    run -1 cat "$VM_DIR/backup/disk.0.1"
    step postbackup_live 0
    [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/tmp" ] && [ ! -e "$VM_DIR/backup.journal" ]
    step prebackup 0
    qemu-img check -q "$VM_DIR/backup/disk.0.1"
    [ "$(jq -r '.disks[0].kind' "$VM_DIR/backup/vmvault.json")" = increment ]
    step postbackup 0
    guest_start lab
}

@test "the guest reboots in the middle: the backup goes on, and so does the next one" {
    step prebackup_live 0
    local before
    before=$(cat "$VM_DIR/backup/disk.0.1" | sha256sum)
    virsh -q reset lab
    guest_works "$BATS_FILE_TMPDIR/console"
    [ "$(cat "$VM_DIR/backup/disk.0.1" | sha256sum)" = "$before" ]
    step postbackup_live 0
    clean
    VMVAULT_FS_FREEZE_FALLBACK=YES step prebackup_live 1 AGENT
    [ "$(jq -r '.disks[0].kind' "$VM_DIR/backup/vmvault.json")" = increment ]
    step postbackup_live 1
    clean
}
