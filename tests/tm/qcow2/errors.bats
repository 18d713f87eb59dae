# SPDX-License-Identifier: Apache-2.0
# Nobody ends a backup if postbackup does not: an error that comes once is no reason to leave it.

load helper.bash

setup_file() { paused_lab 64M 1M; }

teardown_file() { hypervisor_stop; }

# failing N: postbackup, whose N-th call that can is a failure, ends with success
failing() {
    rm -f "$BATS_TEST_TMPDIR/page"
    truncate -s 4096 "$BATS_TEST_TMPDIR/page"
    LD_PRELOAD=$BUILD/tests/faults/calls.so CALLS_FILE=$BATS_TEST_TMPDIR/page CALLS_PROGRAM=qcow2/postbackup_live CALLS_FAULT=io:"$1" \
        ASAN_OPTIONS=verify_asan_link_order=0 step postbackup_live -1 NONE FULL 2>"$BATS_TEST_TMPDIR/err"
}

# failed: there was one
failed() { [ "$(od -An -td8 -j40 -N8 "$BATS_TEST_TMPDIR/page" | xargs)" -eq 1 ]; }

@test "whichever call of postbackup fails once, the backup is ended" {
    local n=0 again=0
    while :; do
        step prebackup_live -1 NONE FULL 2>/dev/null
        n=$((n + 1))
        failing $n
        failed || break
        clean || { echo "after call $n: $(<"$BATS_TEST_TMPDIR/err")"; false; }
        guest_is lab paused
        if grep -q 'done again, it went well' "$BATS_TEST_TMPDIR/err"; then again=$((again + 1)); fi
    done
    clean   # the last one had no failure
    [ -z "$(checkpoints)" ]
    echo "$n calls, done again: $again"
    [ "$n" -gt 5 ] && [ "$again" -gt 0 ]
}
