# SPDX-License-Identifier: Apache-2.0
# An upload to a server of SFTP alone that another process takes up.

load ../../helper

setup_file() {
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" ForceCommand internal-sftp --owner $$)"
    export PATH
    head -c 30000000 /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }
setup() {
    BACKUP=$BATS_TEST_TMPDIR/backup BASE=$BATS_TEST_TMPDIR/base DIRECT=$PATH
    OURS=0000000000000001 THEIRS=0000000000000002
    export OWNER=$OURS
    PARTIAL=$BASE/7/abcdef.partial.$OURS
    mkdir "$BACKUP"
}
teardown() { for pid in ${STORE-} ${PROXY-}; do kill -9 "$pid" 2>/dev/null || true; done; }

# store NAME: all of BACKUP
LINK=$BUILD/tests/datastore/rsync/link
store() { "$LINK" backup1 store "$BACKUP" "$BASE" 7 "$1"; }
stored() {
    diff -r "$BACKUP" "$BASE/7/$1"
    [ "$(ls -A "$BASE/7")" = "$1" ]
}
# ten_files: of 3 MB each, disk.0.0 to disk.9.0
ten_files() {
    local n
    for n in {0..9}; do
        head -c $(((n + 1) * 3000000)) "$BATS_FILE_TMPDIR/bytes" | tail -c 3000000 >"$BACKUP/disk.$n.0"
    done
}
# killed_at BYTES: an upload whose process is killed when about so much has been sent, and no more
killed_at() {
    local sshd=${SSHD:-$BATS_FILE_TMPDIR/sshd} port bin=$BATS_TEST_TMPDIR/bin said=$BATS_TEST_TMPDIR/proxy
    rm -rf "$said" "$bin"
    "$FIXTURES/proxy" "$(awk '$1 == "Port" { print $2 }' "$sshd/ssh_config")" --silent "$1" \
        </dev/null >"$said" 3>&- &
    PROXY=$!
    eventually test -s "$said"
    read -r port <"$said"
    mkdir "$bin"
    sed "s/Port .*/Port $port/" "$sshd/ssh_config" >"$bin/config"
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$bin/config" >"$bin/ssh"
    chmod 755 "$bin/ssh"
    # Itself, no shell around it: it is to be killed.
    PATH=$bin:$DIRECT "$LINK" backup1 store "$BACKUP" "$BASE" 7 abcdef >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    STORE=$!
    eventually grep -qx silent "$said"
    kill -9 $STORE
    wait $STORE || true
    kill $PROXY
    wait $PROXY || true
}
# notes FILTER: changes them
notes() {
    local note
    for note in "$PARTIAL"/.upload.*; do
        jq -c "$1" "$note" >"$note.new" && mv "$note.new" "$note"
    done
}

@test "killed at any tenth, all files that were whole there are not sent again" {
    ten_files
    for tenth in {1..9}; do
        rm -rf "$BASE"
        killed_at $((tenth * 3000000))
        [ ! -e "$BASE/7/abcdef" ]
        run -0 --separate-stderr store 123456
        [ "$tenth" -eq 1 ] || [[ $output == *"; $(((tenth - 1) * 3000000)) bytes were there of one that was cut off" ]]
        stored 123456
    done
}

@test "killed within a file, it goes on from the last step that is on the server's disk" {
    truncate -s 130M "$BACKUP/disk.0.0"
    dd if="$BATS_FILE_TMPDIR/bytes" of="$BACKUP/disk.0.0" bs=1M seek=50 conv=notrunc status=none
    killed_at 100000000
    run -0 --separate-stderr store 123456
    [[ $output == *"; 67108864 bytes were there of one that was cut off" ]]
    stored 123456
}

@test "another backup takes nothing over" {
    ten_files
    killed_at 15000000
    touch "$BACKUP/disk.9.0"
    run -0 --separate-stderr store 123456
    [[ $output != *'were there'* ]]
    stored 123456
}

@test "what an older version has left is taken up, if it is of the same files" {
    ten_files
    OWNER='' killed_at 15000000
    [ -d "$BASE/7/abcdef.partial" ]
    run -0 --separate-stderr store 123456
    [[ $output == *"; 12000000 bytes were there of one that was cut off" ]]
    stored 123456
}

@test "what another owner has left is not taken up, even if it is of the same files" {
    ten_files
    OWNER=$THEIRS killed_at 15000000
    cp -r "$BASE/7/abcdef.partial.$THEIRS" "$BATS_TEST_TMPDIR/theirs"
    run -0 --separate-stderr store 123456
    [[ $output != *'were there'* ]]
    diff -r "$BATS_TEST_TMPDIR/theirs" "$BASE/7/abcdef.partial.$THEIRS"
    OWNER=$THEIRS run -0 --separate-stderr store 654321
    [[ $output == *"; 12000000 bytes were there of one that was cut off" ]]
    diff -r "$BASE/7/123456" "$BASE/7/654321"
    [ "$(ls -A "$BASE/7")" = $'123456\n654321' ]
}

# slow_store NAME: in the background, some seconds; until its second file is on its way
slow_store() {
    ARGS='-aS --bwlimit=4000' "$LINK" backup1 store "$BACKUP" "$BASE" 7 "$1" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    STORE=$!
    eventually second_file
}
second_file() { [ -n "$(find "$BASE/7" -path '*.partial*/disk.1.0' 2>/dev/null)" ]; }
store_ends() { STATUS=0; wait "$STORE" || STATUS=$?; STORE=''; }

@test "two owners upload the same machine side by side, and neither loses anything" {
    ten_files
    slow_store abcdef
    mkdir "$BATS_TEST_TMPDIR/other"
    head -c 100000 "$BATS_FILE_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/other/disk.0.0"
    OWNER=$THEIRS run -0 "$LINK" backup1 store "$BATS_TEST_TMPDIR/other" "$BASE" 7 123456
    store_ends
    [ "$STATUS" -eq 0 ]
    diff -r "$BACKUP" "$BASE/7/abcdef"
    diff -r "$BATS_TEST_TMPDIR/other" "$BASE/7/123456"
    [ "$(ls -A "$BASE/7")" = $'123456\nabcdef' ]
}

@test "an upload that somebody takes a file from, or adds one to, is no backup" {
    ten_files
    for harm in 'rm disk.0.0' 'truncate -s 1000 disk.0.0' 'cp disk.0.0 disk.10.0'; do
        slow_store abcdef
        (cd "$PARTIAL" && $harm)
        store_ends
        [ "$STATUS" -eq 1 ]
        grep -F "'$PARTIAL' on 'backup1' does not hold what was uploaded: somebody else has changed it" \
            "$BATS_TEST_TMPDIR/out"
        [ -z "$(ls -A "$BASE/7")" ]
    done
}

# left NAME AGE: an upload of that age, with a file, in a directory of that name
left() {
    mkdir -p "$BASE/7/$1"
    touch -d "$2" "$BASE/7/$1/disk.0.0" "$BASE/7/$1"
}

@test "what others have left is removed when nobody has written to it for a day" {
    echo x >"$BACKUP/disk.0.0"
    left "00000a.partial.$THEIRS" '25 hours ago'
    left "00000b.partial.$THEIRS" '23 hours ago'
    left "00000c.partial.$THEIRS" '25 hours ago' && touch "$BASE/7/00000c.partial.$THEIRS/disk.0.0"
    left "00000d.partial.$THEIRS" '25 hours ago' && touch "$BASE/7/00000d.partial.$THEIRS"
    left 00000e.partial '25 hours ago'
    left 00000f.partial '23 hours ago'
    left "000010.partial.$OURS" 'now'
    left 00000a.partial.x '25 hours ago'
    left 000011 '25 hours ago'
    run -0 store 123456
    run -0 ls "$BASE/7"
    [ "${lines[*]}" = "00000a.partial.x 00000b.partial.$THEIRS 00000c.partial.$THEIRS 00000d.partial.$THEIRS 00000f.partial 000011 123456" ]
}

@test "what a note says is not believed" {
    ten_files
    # Files of this machine have another begin; the server's file another end; it is shorter than said, and
    # longer; the sum of another file; no note.
    for lie in 'printf x | dd of="$BACKUP/disk.1.0" conv=notrunc status=none; touch -r "$BACKUP.time" "$BACKUP/disk.1.0"' \
        'printf xyz | dd of="$PARTIAL/disk.1.0" bs=1 seek=2999997 conv=notrunc status=none' \
        'truncate -s 2999999 "$PARTIAL/disk.1.0"' \
        'notes ".files.\"disk.1.0\".size = 2999999"' 'notes ".files.\"disk.1.0\".size = 3000001"' \
        'notes ".files.\"disk.1.0\".sum = .files.\"disk.0.0\".sum"' 'notes "del(.files.\"disk.1.0\")"'; do
        rm -rf "$BASE"
        touch -r "$BACKUP/disk.1.0" "$BACKUP.time"
        killed_at 12000000
        eval "$lie"
        run -0 --separate-stderr store 123456
        [[ $output == *"; 6000000 bytes were there of one that was cut off" ]] || { echo "$lie: $output"; false; }
        stored 123456
    done
}

@test "a torn note leaves the one before, and two torn ones leave nothing" {
    ten_files
    killed_at 15000000
    cp -r "$BASE" "$BASE.kept"
    newest=$(jq -r '[.serial, input_filename] | @tsv' "$PARTIAL"/.upload.* | sort -n | tail -n 1 | cut -f2)
    truncate -s 100 "$newest"
    run -0 --separate-stderr store 123456
    [[ $output == *"; 9000000 bytes were there of one that was cut off" ]]
    stored 123456
    rm -rf "$BASE"
    mv "$BASE.kept" "$BASE"
    truncate -s 100 "$PARTIAL"/.upload.*
    run -0 --separate-stderr store 123456
    [[ $output != *'were there'* ]]
    stored 123456
}

@test "where the server cannot say what is on its disk, all is sent again" {
    ten_files
    SSHD=$BATS_TEST_TMPDIR/sshd
    eval "$("$FIXTURES/sshd" start "$SSHD" ForceCommand 'internal-sftp -P fsync' --owner $$)"
    DIRECT=$PATH
    killed_at 15000000
    run -0 --separate-stderr store 123456
    "$FIXTURES/sshd" stop "$SSHD"
    [[ $output != *'were there'* ]]
    stored 123456
}
