# SPDX-License-Identifier: Apache-2.0
# Some of what `make calls` does: a call of a program fails, or it dies there, and all is well.

load ../helper.bash

# calls ONLY [SAMPLES]: they are made, and none of them is found wanting
calls() {
    TMPDIR=$BATS_TEST_TMPDIR ONLY=$1 SAMPLES=${2-1} run "$ROOT/tests/faults/calls"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a call of a backup fails, or is the last one of its process" {
    calls 'restic-backup:restic/backup:full,restic-backup:restic/backup:io,restic-backup:*:kill'
}

@test "a call of a flatten fails, or is the last one of its process" {
    calls 'restic-flatten:restic/increment_flatten:full,restic-flatten:restic/increment_flatten:kill'
}

@test "a call of a removal fails, and of what only reads" {
    calls 'restic-rm:restic/rm:io,restic-ls:*:io,restic-downloader:*:short'
}

@test "a call of an rsync datastore fails, or is the last one of its process" {
    calls 'rsync-backup:rsync/send:io,rsync-backup:rsync/send:kill,sftp-backup:rsync/backup:full,sftp-rm:*:io'
    # Many of the others read the helper that goes to the server.
    calls 'rsync-backup:rsync/backup:io:-[1-5],rsync-backup:rsync/backup:kill:-[1-5],sftp-flatten:rsync/*:kill:-[1-8]' 0
}

@test "a call of a restore in place fails, or is the last one of its process" {
    calls 'restore-in-place:*:full,restore-in-place:*:kill'
    calls 'restore-in-place:host/restore_host:io:-[45]?' 0   # while disks are exchanged
}

@test "a call of a program fails while a machine is backed up, or is the last one of its process" {
    calls 'vmvault-backup:cli/vmvault:io,vmvault-backup:qcow2/postbackup:full,vmvault-backup:host/*:kill'
}
