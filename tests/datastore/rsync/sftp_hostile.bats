# SPDX-License-Identifier: Apache-2.0
# Files of a server whose SFTP answers are wrong: one line, and nothing is stored under its name.

load ../../helper

setup_file() {
    export HARM=$BATS_FILE_TMPDIR/harm
    : >"$HARM"
    local line
    line=$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" \
        Subsystem "sftp $FIXTURES/sftp_server $HARM" --owner $$)
    eval "$line"
    export PATH
    head -c 3000000 /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }

setup() {
    : >"$HARM"
    THERE=$BATS_TEST_TMPDIR/there
    mkdir "$THERE"
    cp "$BATS_FILE_TMPDIR/bytes" "$THERE/file"
}

link() { timeout 120 "$BUILD/tests/datastore/rsync/link" backup1 "$@"; }

# fails REQUEST HARM WORD...: what is done is one line that names the server, and no more
fails() {
    local what="$1 $2"
    echo "$what" >"$HARM"
    shift 2
    run -1 --separate-stderr quietly link "$@" <"$BATS_FILE_TMPDIR/bytes"
    : >"$HARM"
    [[ ${#stderr_lines[@]} -eq 1 && $stderr == *"'backup1'"* ]] || { echo "$what: $stderr"; return 1; }
}
quietly() { "$@" >/dev/null; }

@test "the server of this test does what a good one does" {
    run -0 link sftp put "$THERE/new" <"$BATS_FILE_TMPDIR/bytes"
    [ "$output" = durable ]
    link sftp get "$THERE/new" | cmp - "$BATS_FILE_TMPDIR/bytes"
    run -0 link sftp list "$THERE"
    [ "$output" = $'file 3000000\nnew 3000000' ]
    link sftp remove "$THERE"
    [ ! -e "$THERE" ]
}

@test "answers that are none" {
    local harm
    for harm in oversized truncated; do
        fails open $harm sftp get "$THERE/file"
        fails read $harm sftp get "$THERE/file"
        fails write $harm sftp put "$THERE/new"
        fails readdir $harm sftp list "$THERE"
        fails lstat $harm sftp remove "$THERE"
    done
    fails read broken sftp get "$THERE/file"
    fails open die sftp get "$THERE/file"
    fails readdir die sftp list "$THERE"
    fails write die sftp put "$THERE/new"
    [ -e "$THERE/file" ]
}

@test "answers to something else are none, and have an end" {
    export ARGS=--timeout=1
    fails open othertype sftp get "$THERE/file"
    fails read otherid sftp get "$THERE/file"
    unset ARGS
    fails read flood sftp get "$THERE/file"
    [[ $stderr == *'the server sends what nobody has asked for' ]]
}

@test "more bytes and fewer than were asked for" {
    fails read more sftp get "$THERE/file"
    fails read less sftp get "$THERE/file"
}

@test "names that no directory has, and directories without end" {
    local harm
    for harm in slash long endless same; do
        fails readdir $harm sftp list "$THERE"
        [[ $stderr == *"lists what no directory holds in '$THERE'" ]]
    done
    echo 'readdir dots' >"$HARM"
    run -0 link sftp remove "$THERE/none"
    run -0 link sftp list "$THERE"
    [ -z "$output" ]
    fails readdir newline sftp remove "$THERE"   # it has the name of none that is there
}

# a_backup: in $BACKUP, for $BASE
a_backup() {
    BACKUP=$BATS_TEST_TMPDIR/backup BASE=$BATS_TEST_TMPDIR/base
    mkdir "$BACKUP"
    cp "$BATS_FILE_TMPDIR/bytes" "$BACKUP/disk.0.0"
}

@test "what a server refuses while a backup is stored leaves nothing under its name, nor elsewhere" {
    a_backup
    local harm
    for harm in 'write refuse' 'write full' 'open refuse' 'fsync refuse' 'rename refuse' 'mkdir refuse' 'lstat huge'; do
        fails ${harm% *} ${harm#* } store "$BACKUP" "$BASE" 7 abcdef
        [ ! -e "$BASE/7/abcdef" ]
        [ -z "$(find "$BASE" -type f ! -path "$BASE/7/abcdef.partial.*/*" 2>/dev/null)" ]
        rm -rf "$BASE"
    done
    echo 'fsync unsupported' >"$HARM"
    run -0 link store "$BACKUP" "$BASE" 7 abcdef
    cmp "$BACKUP/disk.0.0" "$BASE/7/abcdef/disk.0.0"
}

@test "a file that goes while the backup gets its name is missed" {
    a_backup
    cp "$BACKUP/disk.0.0" "$BACKUP/disk.1.0"
    fails rename emptied store "$BACKUP" "$BASE" 7 abcdef
    [[ $stderr == "'$BASE/7/abcdef' on 'backup1' does not hold what was uploaded"* ]]
    [ -z "$(ls -A "$BASE/7")" ]
}

@test "a disk that is not what its server says is no disk" {
    mkdir "$THERE/aaaa00" "$THERE/aaaa01"
    qemu-img create -q -f qcow2 "$THERE/aaaa00/disk.0.0" 16M
    qemu-io -c 'write -P 1 0 4M' "$THERE/aaaa00/disk.0.0" >/dev/null
    cp "$THERE/aaaa00/disk.0.0" "$THERE/aaaa01/disk.0.1"
    link merge "$THERE" 0:aaaa00 0 >"$BATS_TEST_TMPDIR/merged"
    qemu-img compare "$BATS_TEST_TMPDIR/merged" "$THERE/aaaa00/disk.0.0"
    fails read eof merge "$THERE" 0:aaaa00 0
    fails read eof merge "$THERE" 0:aaaa00,1:aaaa01 0
    fails read broken merge "$THERE" 0:aaaa00,1:aaaa01 0
}
