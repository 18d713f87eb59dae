# SPDX-License-Identifier: Apache-2.0
# A good part of what `make calls` does.

load ../helper.bash

calls() {   # calls SCENARIOS SAMPLES
    TMPDIR=$BATS_TEST_TMPDIR ONLY=$1 SAMPLES=$2 run "$ROOT/tests/faults/calls"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "whichever call fails: one line of why, nothing left, and all that is stored is right" {
    calls 'restic-*' 6
}

@test "the same of an rsync datastore, with our helper over there and without" {
    calls 'rsync-*,sftp-*' 3
}

@test "whichever call of a restore in place fails: all disks are new, or all are old" {
    calls 'restore-in-place' 20
}

@test "the same of all programs of a backup of a machine, and of a restore" {
    calls 'vmvault-*' 2
}
