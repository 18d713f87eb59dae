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

@test "the same of all programs of a backup of a machine" {
    calls 'vmvault-*' 2
}
