# SPDX-License-Identifier: Apache-2.0
# A good part of what `make calls` does.

load ../helper.bash

@test "whichever call fails: one line of why, nothing left, and all that is stored is right" {
    TMPDIR=$BATS_TEST_TMPDIR SAMPLES=6 run "$ROOT/tests/faults/calls"
    echo "$output"
    [ "$status" -eq 0 ]
}
