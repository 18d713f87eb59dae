# SPDX-License-Identifier: Apache-2.0
# A backup of a real guest is cancelled at all moments, and while this or that hangs: it ends soon,
# and guest, repository and chain are as before.

load real.bash
load cancel.bash

setup_file() { real_start; }
teardown_file() { real_stop; }

@test "moments of a view, here" { moments; }

@test "the VM is locked by another: the wait for it is cancelled" {
    flock "$VM_DIR/backup.lock" sleep 600 3>&- &
    holder=$!
    eventually is_locked
    start_backup
    soon host_works
    cancelled 'waiting for the lock'
    pkill -P "$holder" sleep
    wait "$holder" || true
    as_before
    next_works
}
is_locked() { ! flock -n "$VM_DIR/backup.lock" true; }
host_works() { [ -n "$(ours backup_host)" ]; }

@test "the repository is locked by another: the wait for it is cancelled" {
    RESTIC_PASSWORD=$PASSWORD restic --no-cache -r "$BASE/$VM_ID" check --read-data --limit-download 50 \
        >"$BATS_TEST_TMPDIR/check.log" 2>&1 3>&- &
    holder=$!
    eventually eval '[ -n "$(locks)" ]'
    start_backup
    soon grep -q 'waiting for the repository' "$BATS_TEST_TMPDIR/err"
    cancelled 'waiting for the repository'
    kill -KILL "$holder"
    wait "$holder" || true
    restic_here unlock
    as_before
    next_works
}

@test "a cancellation during the post step does not undo what is stored" {
    start_until postbackup_live:main:before
    cancel_backup
    shim_go_on
    wait "$backup"
    [ "$(snapshots | wc -l)" -eq $(($(wc -l <"$BATS_TEST_TMPDIR/snapshots") + 1)) ]
    echo $(($(last) + 1)) >"$BATS_FILE_TMPDIR/last"
    snapshots >"$BATS_TEST_TMPDIR/snapshots"
    as_before
    next_works
}

@test "an orchestrator is killed when its upload is stored: the next backup removes that, and is one" {
    # The copy is there, so nobody has the VM's lock; the post step then waits for us.
    export VMVAULT_EXPORT=copy SLOW=3000
    dirty
    start_backup
    soon is_uploading
    flock "$VM_DIR/backup.lock" sleep 600 3>&- &
    holder=$!
    eventually is_locked
    eventually phase postbackup
    kill -KILL "$backup"
    wait "$backup" || true
    pkill -P "$holder" sleep
    wait "$holder" || true
    [ "$(snapshots | wc -l)" -eq $(($(wc -l <"$BATS_TEST_TMPDIR/snapshots") + 1)) ]
    comm -13 "$BATS_TEST_TMPDIR/snapshots" <(snapshots) >"$BATS_TEST_TMPDIR/orphan"
    unset SLOW
    next_works
    run ! grep -qf "$BATS_TEST_TMPDIR/orphan" <(snapshots)
    [ "$(snapshots | wc -l)" -eq $(($(wc -l <"$BATS_TEST_TMPDIR/snapshots") + 1)) ]
}

@test "what hangs, here" {
    export SLOW=2000
    dirty
    hangs 'exporter' is_uploading exporter
    hangs 'restic' is_uploading restic
    hangs 'backup_host in the freeze' "$FROZEN" maker
    unset SLOW
    next_works
}

@test "the steps of another orchestrator: the upload ends although the exporter hangs" {
    local part words=("$(place)" 0:1 lab - "$VM_ID" 0) status=0
    export SLOW=2000
    dirty
    for part in VM DATASTORE; do
        message BACKUP "${words[*]}" | xmllint --xpath "//$part" - >"$BATS_TEST_TMPDIR/$part"
    done
    "$BUILD/tm/qcow2/prebackup_live" "${words[@]}" <"$BATS_TEST_TMPDIR/VM"
    echo "<DS_DRIVER_ACTION_DATA>$(cat "$BATS_TEST_TMPDIR"/{DATASTORE,VM})</DS_DRIVER_ACTION_DATA>" >"$BATS_TEST_TMPDIR/request"
    "$BUILD/datastore/restic/backup" "${words[@]}" <"$BATS_TEST_TMPDIR/request" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    backup=$!
    soon is_uploading
    hang "$(journal exporter)"
    "$BUILD/datastore/restic/backup_cancel" "$(place)" lab <"$BATS_TEST_TMPDIR/VM"
    wait "$backup" || status=$?
    [ "$status" -eq 143 ]
    sed 's|</VM>|<BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>|' "$BATS_TEST_TMPDIR/VM" |
        "$BUILD/tm/qcow2/postbackup_live" "${words[@]}"
    as_before
}

@test "what hangs, over ssh" {
    export SLOW=2000 HOST=kvm1 STORE=SFTP
    dirty
    hangs 'exporter' is_uploading exporter
    hangs 'restic' is_uploading restic
    hangs 'ssh to the host' is_uploading ssh kvm1
    hangs 'ssh to the repository' is_uploading ssh bk1
    hangs 'ssh in the capture' "$FROZEN" ssh kvm1
    unset SLOW
    next_works
}
