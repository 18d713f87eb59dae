# SPDX-License-Identifier: Apache-2.0
# Checksums of the disks, taken while somebody reads them.

load helper.bash

setup_file() {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    hypervisor_start
    mkdir -p "$VM_DIR"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.0" $((64 * 1048576 + 512))
    qemu-io -c 'write -P 3 0 9M' -c 'write -P 4 20M 6M' -c 'write -P 5 64M 512' "$VM_DIR/disk.0" >/dev/null
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 4M
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0" "$VM_DIR/disk.1"
    virsh -q start lab --paused
}

teardown_file() { hypervisor_stop; }

setup() { B=$VM_DIR/backup; export VMVAULT_EXPORT=view; }

teardown() {
    DISKS='0 1' step postbackup_live -1
    rm -f "$VM_DIR"/backup.sums.*
}

begin() { DISKS='0 1' step prebackup_live -1; }
kept() { (cd "$VM_DIR" && echo backup.sums.*); }

# sums_are_right DIR: beside the disks lies what others compute for them
sums_are_right() {
    local disk
    for disk in 0 1; do cmp "$1/sums.$disk.0" <("$FIXTURES/sums" "$1/disk.$disk.0"); done
}

@test "a view has the sums of its disks, in the planned size, under names that are no disk's" {
    begin
    local size
    size=$(stat -c %s "$B/disk.0.0")
    [ "$(stat -c %s "$B/sums.0.0")" -eq $(((size + 4194303) / 4194304 * 32)) ]
    [ "$(cd "$B" && echo disk.*)" = 'disk.0.0 disk.1.0' ]
    cat "$B"/disk.0.0 "$B"/disk.1.0 >/dev/null
    sums_are_right "$B"
}

@test "one process reads the sums first, then the disks, and waits for nobody" {
    begin
    cat "$B/sums.0.0" "$B/sums.1.0" "$B/disk.0.0" "$B/disk.1.0" >"$BATS_TEST_TMPDIR/all"
    sums_are_right "$B"
    cmp "$BATS_TEST_TMPDIR/all" <(cat "$B/sums.0.0" "$B/sums.1.0" "$B/disk.0.0" "$B/disk.1.0")
}

@test "the sums are right while another has read half of the disk and goes on when it pleases" {
    begin
    exec 8<"$B/disk.0.0"
    head -c 5M <&8 >"$BATS_TEST_TMPDIR/disk"
    "$FIXTURES/sums" <(cat "$B/disk.0.0") >"$BATS_TEST_TMPDIR/expected"
    cmp "$B/sums.0.0" "$BATS_TEST_TMPDIR/expected"
    cat <&8 >>"$BATS_TEST_TMPDIR/disk"
    exec 8<&-
    cmp "$BATS_TEST_TMPDIR/disk" "$B/disk.0.0"
}

@test "a copy has the same sums" {
    begin
    cat "$B/sums.0.0" >"$BATS_TEST_TMPDIR/view"
    DISKS='0 1' step postbackup_live -1
    VMVAULT_EXPORT=copy VMVAULT_KEEP_SUMS=YES begin
    cmp "$B/sums.0.0" "$BATS_TEST_TMPDIR/view"
    sums_are_right "$B"
    [ "$(kept)" = 'backup.sums.0.0 backup.sums.1.0' ]
    cmp "$VM_DIR/backup.sums.0.0" "$BATS_TEST_TMPDIR/view"
}

@test "an uploader takes only disks and vm.xml: the sums of those that he read wholly are kept" {
    VMVAULT_KEEP_SUMS=YES begin
    "$FIXTURES/sums" "$B/disk.1.0" >"$BATS_TEST_TMPDIR/expected"
    head -c 5M "$B/disk.0.0" >/dev/null
    cat "$B/vm.xml" >/dev/null
    DISKS='0 1' step postbackup_live -1
    [ "$(kept)" = backup.sums.1.0 ]
    cmp "$VM_DIR/backup.sums.1.0" "$BATS_TEST_TMPDIR/expected"
    # Where nobody asks for them, nothing is left.
    rm "$VM_DIR/backup.sums.1.0"
    begin
    cat "$B"/disk.* >/dev/null
    DISKS='0 1' step postbackup_live -1
    [ "$(kept)" = 'backup.sums.*' ]
}
