# SPDX-License-Identifier: Apache-2.0
# vmm/kvm/backup: whichever of its calls fails, what prebackup began is ended, by a postbackup that could
# read what it was told.

load helper

setup() {
    setup_drivers
    # What cannot be read is told, and no failure: the real ones do so, too.
    local action
    for action in {pre,post}backup_live; do
        driver_does $action 'read=$(xmllint --xpath "string(/VM/ID)" "$VMVAULT_REMOTES/$(grep -c / "$CALLS").stdin" 2>/dev/null) || true
            [ "$read" = 12 ] && echo "$action read" >>"$CALLS"
            [ "$read" = 12 ] || [ "$action" = postbackup_live ]'
    done
    driver_does backup 'grep -q "</DS_DRIVER_ACTION_DATA>" "$VMVAULT_REMOTES/$(grep -c / "$CALLS").stdin" || exit 2
        echo aaaa0000 42 qcow2'
}
teardown() { stop_everything; }

# failing FAULT N: a backup with it
failing() {
    rm -rf "$BATS_TEST_TMPDIR/page" "$VMVAULT_VAR" "$CALLS"
    truncate -s 4096 "$BATS_TEST_TMPDIR/page"
    message | base64 -w 0 >"$BATS_TEST_TMPDIR/request"
    status=0
    LD_PRELOAD=$BUILD/tests/faults/calls.so CALLS_FILE=$BATS_TEST_TMPDIR/page CALLS_PROGRAM=kvm/backup CALLS_FAULT=$1:$2 \
        ASAN_OPTIONS=verify_asan_link_order=0 "$BUILD/vmm/kvm/backup" 12 <"$BATS_TEST_TMPDIR/request" \
        >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
}
# happened: there was one
happened() { [ "$(od -An -td8 -j40 -N8 "$BATS_TEST_TMPDIR/page" | xargs)" -eq 1 ]; }

ended() { ! grep -qx 'prebackup_live read' "$CALLS" || [ "$(tail -n 1 "$CALLS")" = 'postbackup_live read' ] ||
    tail -n 1 "$CALLS" | grep -q '^datastore/restic/discard'; }

@test "whichever call fails once: a backup, or one line; and what was begun is ended" {
    local fault n good=0
    for fault in io full eintr; do
        n=0
        while :; do
            n=$((n + 1))
            failing $fault $n
            happened || break
            case $status in
                0) [ "$(<"$BATS_TEST_TMPDIR/out")" = 'aaaa0000 42 qcow2' ]; good=$((good + 1)) ;;
                1) [ "$(plain_lines <"$BATS_TEST_TMPDIR/err" | wc -l)" -eq 1 ] ;;
                *) false ;;
            esac || { echo "$fault:$n: status $status"; cat "$BATS_TEST_TMPDIR/err"; false; }
            [ ! -e "$CALLS" ] || ended || { echo "$fault:$n"; cat "$CALLS" "$BATS_TEST_TMPDIR/err"; false; }
        done
        [ $n -gt 3 ]
    done
    [ $good -gt 0 ]
}
