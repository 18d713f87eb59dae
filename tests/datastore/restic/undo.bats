# SPDX-License-Identifier: Apache-2.0
# Backups that are cancelled, killed or kept waiting, and what they leave.

load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    with_repository
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    write_vm_xml
}

# start_slow_backup: one that takes long, in the background; PID is its number
start_slow_backup() {
    EXTRA='<RESTIC_BWLIMIT>2000</RESTIC_BWLIMIT>'
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    export VMVAULT_PROGRESS=$BATS_TEST_TMPDIR/progress
    head -c 40000000 /dev/urandom >"$FILES/disk.0.0"
    "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 one-12 - 12 0 \
        <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    PID=$!
    eventually is_uploading
}
is_uploading() { ls "$BASE"/12/data/*/* >/dev/null 2>&1 && [ -n "$(lock_files "$BASE/12")" ]; }

@test "cancelled in the middle: no snapshot, no lock, nothing running, and the next one works" {
    backup_ok; first=$ID
    start_slow_backup
    run -0 "$BUILD/datastore/restic/backup_cancel" "localhost:$VMDIR" one-12 <<<'<VM><ID>12</ID></VM>'
    status=0; wait $PID || status=$?
    [ $status -eq 143 ]
    [ "$(grep -vc '^INFO' "$BATS_TEST_TMPDIR/err")" -eq 1 ]
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    [ -z "$(lock_files "$BASE/12")" ]
    [ "$(snapshots)" = "$first" ]
    EXTRA=''
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    backup_ok
}

@test "killed without a chance to undo: restic ends too, and the next one works" {
    start_slow_backup
    kill -9 $PID; wait $PID || true
    eventually no_restic
    EXTRA=''
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    backup_ok
    [ "$(snapshots)" = "$ID" ]
    [ -z "$(lock_files "$BASE/12")" ]
}
no_restic() { ! pgrep -f "restic .*$BASE/12" >/dev/null; }

@test "what a killed backup had stored already is removed by the next one" {
    backup_ok
    restic_here tag --set one-12,vmvault-run-00 "$ID"
    printf 'vmvault-run-00' >"$VMVAULT_VAR/restic-run.100.12.12"
    backup_ok
    [ "$(snapshots)" = "$ID" ]
}

@test "what a copy of a note says is stored stays, and is named" {
    local note=$VMVAULT_VAR/restic-run.100.12.12
    start_slow_backup
    kill -9 $PID; wait $PID || true
    eventually no_restic
    EXTRA=''
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    cp "$note" "$BATS_TEST_TMPDIR/note"
    backup_ok; first=$ID
    restic_here tag --set "one-12,$(grep -m1 ^vmvault-run "$BATS_TEST_TMPDIR/note")" "$first"
    first=$(snapshots)
    cp "$BATS_TEST_TMPDIR/note" "$note"
    run -0 --separate-stderr backup
    [[ $stderr == *"WARN: "*"a snapshot with the tag 'vmvault-run-"*"' stays, if there is one"* ]]
    [ "$(snapshots | wc -l)" -eq 2 ]
    snapshots | grep -x "$first"
    [ ! -e "$note" ]
}

# discard RUN
discard() {
    "$BUILD/datastore/restic/discard" "localhost:$VMDIR" "$1" - 12 < <(request "$(datastore)" "$(vm)")
}

@test "a run whose repository cannot be opened now is removed by the next backup" {
    backup_ok; first=$ID
    VMVAULT_RUN=00112233445566ff backup_ok
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\necho "Fatal: the server has no time" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/restic"
    chmod 755 "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 --separate-stderr discard 00112233445566ff
    [[ $stderr == *'has no time'* ]]
    [ "$(snapshots | wc -l)" -eq 2 ]
    backup_ok
    [ "$(snapshots | sort)" = "$(printf '%s\n' "$first" "$ID" | sort)" ]
    [ -z "$(find "$VMVAULT_VAR" -name 'restic-run.*')" ]
}

@test "what a run has stored can be removed by its name, and nothing else is" {
    backup_ok; first=$ID
    VMVAULT_RUN=00112233445566ff backup_ok
    [ "$(snapshots | wc -l)" -eq 2 ]
    run -0 --separate-stderr discard ffffffffffffffff
    [ "$(snapshots | wc -l)" -eq 2 ]
    run -0 --separate-stderr discard 00112233445566ff
    [ -z "$output" ]
    [ "$(snapshots)" = "$first" ]
    [ -z "$(find "$VMVAULT_VAR" -name 'restic-run.*')" ]
    rm -r "$BASE/12"
    run -0 --separate-stderr discard 00112233445566ff
    [ ! -e "$BASE/12" ]
    run -2 --separate-stderr discard '00112233445566f,'
    one_line 'not the name of a run'
}

@test "a run that cannot be removed now is removed by the next backup" {
    VMVAULT_RUN=00112233445566ff backup_ok
    exclusive_lock
    EXTRA='<RESTIC_LOCK_WAIT>0</RESTIC_LOCK_WAIT>' run -1 --separate-stderr discard 00112233445566ff
    one_line "by PID $HOLDER "
    kill -9 $HOLDER
    backup_ok
    [ "$(snapshots)" = "$ID" ]
}

@test "the helper that runs restic is killed: restic ends with it, whatever it does, and nothing is stored" {
    local bin=$BATS_TEST_TMPDIR/bin real
    real=$(command -v restic)
    mkdir "$bin"
    cat >"$bin/restic" <<SH
#!/bin/sh
case " \$* " in *' backup '*) echo \$\$ >'$bin/pid'; exec sleep 600 ;; esac
exec '$real' "\$@"
SH
    chmod +x "$bin/restic"
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    PATH=$bin:$PATH "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 one-12 - 12 0 \
        <"$BATS_TEST_TMPDIR/request" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    PID=$!
    eventually [ -s "$bin/pid" ]
    kill -KILL "$(ps -o ppid= -p "$(cat "$bin/pid")" | xargs)"
    status=0; wait $PID || status=$?
    [ $status -eq 1 ]
    eventually is_gone "$(cat "$bin/pid")"
    [ -z "$(find "$VMVAULT_VAR" -name 'restic-run.*')" ]
    backup_ok
    [ "$(snapshots)" = "$ID" ]
}

@test "the cancel of one VM leaves the backups of others alone" {
    start_slow_backup
    run -0 "$BUILD/datastore/restic/backup_cancel" "localhost:$VMDIR" one-1 <<<'<VM><ID>1</ID></VM>'
    [ -z "$output" ]
    kill -0 $PID
    kill $PID; wait $PID || true
}

# exclusive_lock: a restic that holds the repository for itself, for long; HOLDER is its number
exclusive_lock() {
    RESTIC_PASSWORD=$PASSWORD restic --no-cache -r "$BASE/12" check \
        --read-data --limit-download 10 >"$BATS_TEST_TMPDIR/check.log" 2>&1 3>&- &
    HOLDER=$!
    eventually has_lock
}
has_lock() { [ -n "$(locks)" ]; }   # a file there may also be one that is being written

@test "a backup waits for a repository that another holds, and says so" {
    backup_ok
    exclusive_lock
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 one-12 - 12 0 \
        <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$!
    eventually grep -q 'waiting for the repository' "$BATS_TEST_TMPDIR/err"
    grep -q "locked.*by PID $HOLDER " "$BATS_TEST_TMPDIR/err"
    kill -9 $HOLDER
    wait $pid
    [ "$(snapshots | wc -l)" -eq 2 ]
}

@test "the wait for a repository has an end, and the error names who holds it" {
    backup_ok
    exclusive_lock
    EXTRA='<RESTIC_LOCK_WAIT>0</RESTIC_LOCK_WAIT>'
    run -1 --separate-stderr backup
    kill -9 $HOLDER
    one_line "by PID $HOLDER "
}

@test "the lock of a dead process does not stop a backup" {
    backup_ok
    exclusive_lock
    kill -9 $HOLDER; wait $HOLDER || true
    has_lock
    backup_ok
    [ -z "$(lock_files "$BASE/12")" ]
}
