# SPDX-License-Identifier: Apache-2.0
# Random things are done to a machine, its backups and their store: see tests/model/run.

load ../helper.bash

@test "ten steps, and all that is listed restores to what it was" {
    TMPDIR=$BATS_TEST_TMPDIR SEED=31 STEPS=10 run "$ROOT/tests/model/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}
