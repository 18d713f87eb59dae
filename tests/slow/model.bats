# SPDX-License-Identifier: Apache-2.0
# Some hundred steps of tests/model/run, others each time: the output says how to repeat a failure.

load ../helper.bash

@test "some hundred random steps, and all that is listed restores to what it was" {
    TMPDIR=$BATS_TEST_TMPDIR STEPS=300 run "$ROOT/tests/model/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}

@test "the same with images in Ceph, whose chains restore with qemu-img alone" {
    CEPH=1 TMPDIR=$BATS_TEST_TMPDIR STEPS=80 run "$ROOT/tests/model/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}

@test "the same with a guest that goes on writing" {
    GUEST=1 TMPDIR=$BATS_TEST_TMPDIR STEPS=30 run "$ROOT/tests/model/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}
