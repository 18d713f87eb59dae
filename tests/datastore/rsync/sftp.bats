# SPDX-License-Identifier: Apache-2.0
# Files of a server that allows SFTP and nothing else.

load ../../helper

setup_file() {
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" ForceCommand internal-sftp --owner $$)"
    export PATH
    head -c 30000000 /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }

link() { "$BUILD/tests/datastore/rsync/link" "$@"; }
sftp() { link backup1 sftp "$@"; }

@test "a server that allows only SFTP is known as such" {
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR
    install -D /bin/true "$BATS_TEST_TMPDIR/datastore/rsync/server"
    run -0 link backup1 ensure
    [ "$output" = 'nothing of ours runs there: This service allows sftp connections only.' ]
}

@test "what is written is read" {
    run -0 sftp put "$BATS_TEST_TMPDIR/there" <"$BATS_FILE_TMPDIR/bytes"
    [ "$output" = durable ]
    cmp "$BATS_FILE_TMPDIR/bytes" "$BATS_TEST_TMPDIR/there"
    [ "$(stat -c '%a %Y' "$BATS_TEST_TMPDIR/there")" = '640 1000000000' ]
    sftp get "$BATS_TEST_TMPDIR/there" | cmp - "$BATS_FILE_TMPDIR/bytes"
    sftp get "$BATS_TEST_TMPDIR/there" 20000001 | cmp - <(tail -c +20000002 "$BATS_FILE_TMPDIR/bytes")
}

@test "writing goes on at an offset, and what was behind it is gone" {
    { head -c 12345678 "$BATS_FILE_TMPDIR/bytes"; head -c 40000000 /dev/zero; } >"$BATS_TEST_TMPDIR/there"
    sftp put "$BATS_TEST_TMPDIR/there" 12345678 < <(tail -c +12345679 "$BATS_FILE_TMPDIR/bytes")
    cmp "$BATS_FILE_TMPDIR/bytes" "$BATS_TEST_TMPDIR/there"
}

@test "a directory is listed, and removed with all in it but not what its links lead to" {
    mkdir -p "$BATS_TEST_TMPDIR/top/below" "$BATS_TEST_TMPDIR/elsewhere"
    echo 12345 >"$BATS_TEST_TMPDIR/top/file"
    touch "$BATS_TEST_TMPDIR/top/below/file" "$BATS_TEST_TMPDIR/elsewhere/file"
    run -0 sftp list "$BATS_TEST_TMPDIR/top"
    [ "$output" = $'below directory\nfile 6' ]
    ln -s "$BATS_TEST_TMPDIR/elsewhere" "$BATS_TEST_TMPDIR/top/link"
    sftp remove "$BATS_TEST_TMPDIR/top"
    [ ! -e "$BATS_TEST_TMPDIR/top" ]
    [ -e "$BATS_TEST_TMPDIR/elsewhere/file" ]
    sftp remove "$BATS_TEST_TMPDIR/top"
    run -0 sftp list "$BATS_TEST_TMPDIR/top"
    [ -z "$output" ]
}

@test "the space of the server is told" {
    run -0 sftp space "$BATS_TEST_TMPDIR"
    [[ $output =~ ^USED_MB=[0-9]+$'\n'TOTAL_MB=([0-9]+)$'\n'FREE_MB=[0-9]+$ ]]
    [ "${BASH_REMATCH[1]}" -eq $(($(stat -fc '%b * %S' "$BATS_TEST_TMPDIR") >> 20)) ]
}

@test "a failure names the file and the server" {
    run -1 sftp get "$BATS_TEST_TMPDIR/none"
    [ "$output" = "cannot open '$BATS_TEST_TMPDIR/none' on 'backup1': there is no such file" ]
    mkdir "$BATS_TEST_TMPDIR/dir"
    run -1 sftp put "$BATS_TEST_TMPDIR/dir" </dev/null
    [[ $output == "cannot write '$BATS_TEST_TMPDIR/dir' on 'backup1': "* ]]
}

@test "a full disk of the server is an error" {
    [ -w /dev/full ] || skip 'there is no /dev/full'
    run -1 sftp put /dev/full <"$BATS_FILE_TMPDIR/bytes"
    [[ $output == "cannot write '/dev/full' on 'backup1': "* ]]
}
