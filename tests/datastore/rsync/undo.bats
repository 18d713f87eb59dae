# SPDX-License-Identifier: Apache-2.0
# Uploads that are killed, and what nobody was told of.

load "$BATS_TEST_DIRNAME/../../helper.bash"
load rsync.bash

setup_file() { rsync_server_start; }
teardown_file() { rsync_server_stop; }

setup() {
    store_setup
    sequential "$FILES/disk.0.0" 40 0=a 39=b
    write_vm_xml
    publish_datastore
}

# start_slow_backup [N]: one that takes long, in the background, beside N others; PID is its number, OUT its output
start_slow_backup() {
    OUT=$BATS_TEST_TMPDIR/out.${1-0}
    head -c 12000000 /dev/urandom >"$FILES/disk.0.0"
    ARGS='-aS --bwlimit=1000'
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    "$BUILD/datastore/rsync/backup" "node1:$VMDIR" 0 one-12 - 12 0 \
        <"$BATS_TEST_TMPDIR/request" >"$OUT" 2>"$OUT.err" 3>&- &
    PID=$!
    eventually some_of_it $((${1-0} + 1))
    ARGS=-aS
}
some_of_it() { [ "$(find "$BASE/12" -path '*.partial*/disk.0.0' -size +500k 2>/dev/null | wc -l)" -ge "$1" ]; }

# discard RUN
discard() {
    "$BUILD/datastore/rsync/discard" "node1:$VMDIR" "$1" - 12 < <(request "$(datastore)" "$(vm)")
}

@test "killed in the middle: nothing has a name, and the next one takes up what came" {
    start_slow_backup
    kill -9 $PID
    status=0; wait $PID || status=$?
    [ $status -eq 137 ]
    [ -z "$(backups_of 12)" ]
    eventually nobody_uploads
    run -0 --separate-stderr backup node1
    ID=${output%% *}
    [ "$(backups_of 12)" = "$ID" ]
    [ -z "$(leftovers 12)" ]
    cmp "$BASE/12/$ID/disk.0.0" "$FILES/disk.0.0"
    [ -z "$(cat "$VMVAULT_VAR"/rsync-run.*)" ]
}
nobody_uploads() { ! pgrep -f "$BATS_FILE_TMPDIR/remote/datastore/rsync/(send|server)" >/dev/null; }

@test "what a killed backup had stored already is removed by the next one" {
    backup_ok; first=$ID
    echo "$first - open" >"$VMVAULT_VAR/rsync-run.100.12"
    backup_ok
    [ "$(backups_of 12)" = "$ID" ]
}

@test "what a copy of a note says is stored stays, and is named" {
    local note=$VMVAULT_VAR/rsync-run.100.12 place
    VMVAULT_RUN=00112233445566ff backup_ok; first=$ID
    place=$(grep ^place "$note")   # it is claimed in there
    printf '%s - open\n%s\n' "$first" "$place" >"$BATS_TEST_TMPDIR/note"
    cp --remove-destination "$BATS_TEST_TMPDIR/note" "$note"
    run -0 --separate-stderr backup node1
    [[ $stderr == *"WARN: "*"'$first' stays, if it is there"* ]]
    [ "$(backups_of 12 | wc -l)" -eq 2 ]
    backups_of 12 | grep -x "$first"
    run -0 --separate-stderr backup node1
    [[ $stderr != *'stays, if it is there'* ]]
}

@test "what a run has stored can be removed by its name, and nothing else is" {
    backup_ok; first=$ID
    VMVAULT_RUN=00112233445566ff backup_ok
    [ "$(backups_of 12 | wc -l)" -eq 2 ]
    run -0 --separate-stderr discard ffffffffffffffff
    [ "$(backups_of 12 | wc -l)" -eq 2 ]
    run -0 --separate-stderr discard 00112233445566ff
    [ -z "$output" ]
    [ "$(backups_of 12)" = "$first" ]
    run -0 --separate-stderr discard 00112233445566ff
    run -2 --separate-stderr discard '00112233445566f,'
    one_line RUN
}

@test "what cannot be discarded now is removed by the next backup" {
    VMVAULT_RUN=00112233445566ff backup_ok
    SERVER=unreachable
    run -1 --separate-stderr discard 00112233445566ff
    one_line unreachable
    SERVER=bk1
    backup_ok
    [ "$(backups_of 12)" = "$ID" ]
}

@test "a backup that the next one knows of is kept" {
    VMVAULT_RUN=00112233445566ff backup_ok; first=$ID
    backup_ok
    [ "$(backups_of 12 | wc -l)" -eq 2 ]
    run -0 discard 00112233445566ff
    [ "$(backups_of 12 | wc -l)" -eq 2 ]
}

@test "rm takes the leftovers of dead uploads, too" {
    backup_ok
    mkdir "$BASE/12/abcdef.partial"
    echo x >"$BASE/12/abcdef.partial/disk.0.0"
    run -0 image_action rm "$(image "0:$ID")" 57
    [ -z "$(ls "$BASE/12" 2>/dev/null)" ]
}

# survives_rm: an upload, of the rm of an older backup
survives_rm() {
    backup_ok
    start_slow_backup
    run -0 image_action rm "$(image "0:$ID")" 57
    wait $PID
    ID=$(cut -d' ' -f1 "$OUT")
    [ "$(ls "$BASE/12")" = "$ID" ]
    cmp "$BASE/12/$ID/disk.0.0" "$FILES/disk.0.0"
}

@test "rm leaves an upload that lives alone" { survives_rm; }

@test "rm leaves an upload that lives alone, with SFTP alone" {
    sftp_alone
    survives_rm
}

@test "two front-ends that have a machine of one number leave each other's uploads alone, with SFTP alone" {
    sftp_alone
    start_slow_backup
    first=$PID first_out=$OUT
    cp "$FILES/disk.0.0" "$BATS_TEST_TMPDIR/disk"

    VMVAULT_VAR=$BATS_TEST_TMPDIR/other VMDIR=$BATS_TEST_TMPDIR/other_system/12 FILES=$BATS_TEST_TMPDIR/other_system/12/backup
    mkdir -p "$FILES"
    sequential "$FILES/disk.0.0" 40 0=a
    write_vm_xml
    backup_ok; second=$ID
    run -0 image_action rm "$(image "0:$second")" 57
    start_slow_backup 1
    kill -TERM $PID
    wait $PID || true
    [ "$(leftovers 12 | wc -l)" -le 1 ]

    wait $first
    ID=$(cut -d' ' -f1 "$first_out")
    [ "$(ls "$BASE/12")" = "$ID" ]
    cmp "$BASE/12/$ID/disk.0.0" "$BATS_TEST_TMPDIR/disk"
}
