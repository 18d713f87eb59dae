# SPDX-License-Identifier: Apache-2.0
# Disks in Ceph, and everything that can go wrong with them where it takes long to see.

load ../../tm/ceph/helper.bash
load ../../tm/ceph/restore.bash

setup_file() { restore_start; }
teardown_file() { restore_stop; }
setup() { restore_setup; }
teardown() { [ -e "$BATS_FILE_TMPDIR/dead" ] || restore_teardown; }

@test "restore_host is killed at any rename, which goes on later: the old ones are back" {
    local n
    for n in 1 2 3 4; do
        rm -f "$BATS_TEST_TMPDIR/renames"
        LATER=15 killed_at $n
        all_old
        tidy
    done
    restore_vm
    all_new
    tidy
}

@test "all of it is killed at any rename: the VM has all old ones, or lacks a disk" {
    local n
    for n in 1 2 3 4; do
        rm -f "$BATS_TEST_TMPDIR/renames"
        FRONT=yes killed_at $n
        case $n in
            1) all_old ;;
            2 | 3) run ! rbd info $CLONE ;;
            4) run ! rbd info $VOLATILE ;;
        esac
        eventually looked
    done
    restore_vm
    all_new
    tidy
}

@test "an OSD that is killed in the middle of the upload: the backup ends, and says what it owes" {
    printf 'CEPH_DEADLINE=4\nREAD_DEADLINE=4\n' >"$VMVAULT_HOST_CONF"
    DISKS='clone:one/one-7 volatile:one' step prebackup -1 NONE FULL
    touch "$BATS_FILE_TMPDIR/dead"   # the last test: this one cannot be started again
    osd KILL
    run -1 cat "$VM_DIR/backup/disk.1.0"
    DISKS='clone:one/one-7 volatile:one' run -0 --separate-stderr step postbackup -1 NONE FULL
    [ -n "$stderr" ]
    [ "$(jq -c '[.snapshots[].snapshot] | unique' "$VM_DIR/backup.journal")" = '["one_backup"]' ]
    [ ! -e "$VM_DIR/backup" ]
    rm "$VM_DIR/backup.journal"
}
