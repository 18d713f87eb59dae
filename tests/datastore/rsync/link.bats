# SPDX-License-Identifier: Apache-2.0
# Links to a server, over a real sshd.

load ../../helper

setup_file() {
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" --owner $$)"
    export PATH
}
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }

link() { "$BUILD/tests/datastore/rsync/link" "$@"; }

# a_server [STATUS]: an executable in place of the server's, in a tree of its own
a_server() {
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR/tree VMVAULT_REMOTE_DIR=$BATS_TEST_TMPDIR/there
    mkdir -p "$VMVAULT_REMOTES/datastore/rsync"
    printf '#!/bin/sh\n# %s\nread -r line\necho "{}"\nexit %s\n' "$RANDOM$RANDOM" "${1:-0}" \
        >"$VMVAULT_REMOTES/datastore/rsync/server"
    chmod 755 "$VMVAULT_REMOTES/datastore/rsync/server"
}

@test "a program on a server gets our bytes, and we get its bytes, errors and status" {
    head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
    # shellcheck disable=SC2016  # it is that shell's
    link backup1 exec sh -c 'cat >"$0"; cat "$0"' "$BATS_TEST_TMPDIR/there" <"$BATS_TEST_TMPDIR/bytes" |
        cmp - "$BATS_TEST_TMPDIR/bytes"
    run -3 --separate-stderr link backup1 exec sh -c 'echo out; echo oh dear >&2; exit 3' </dev/null
    [ "$output" = out ]
    [ "$stderr" = 'oh dear' ]
}

@test "the server executable is pushed where it is missing, and once" {
    a_server
    run -0 --separate-stderr link backup1 ensure
    [[ $output == "$VMVAULT_REMOTE_DIR"/datastore/rsync/server.* ]]
    cmp "$output" "$VMVAULT_REMOTES/datastore/rsync/server"
    [[ $stderr == *'goes to '\''backup1'\'* ]]
    local first=$output inode
    inode=$(stat -c %i "$first")
    run -0 --separate-stderr link backup1 ensure
    [ "$output" = "$first" ]
    [ -z "$stderr" ]
    [ "$(stat -c %i "$first")" = "$inode" ]
}

@test "another version of the server executable goes beside, and what nobody used for long is removed" {
    a_server
    local first
    first=$(link backup1 ensure 2>/dev/null)
    touch -d '40 days ago' "$VMVAULT_REMOTE_DIR/datastore/rsync/server.0000000000000000"
    a_server
    run -0 --separate-stderr link backup1 ensure
    [ "$output" != "$first" ]
    [ -x "$output" ]
    [ -x "$first" ]
    [ ! -e "$VMVAULT_REMOTE_DIR/datastore/rsync/server.0000000000000000" ]
}

@test "where the server executable cannot be run, nothing is left of it" {
    a_server 1
    run -0 --separate-stderr link backup1 ensure
    [[ $output == "nothing of ours runs there: '"*"' cannot be run:"* ]]
    [ -z "$(ls -A "$VMVAULT_REMOTE_DIR/datastore/rsync")" ]
}

@test "a directory that another user has made is not trusted" {
    [ "$(id -u)" -eq 0 ] || skip 'it takes root to make a directory of somebody else'
    a_server
    install -d -o nobody "$VMVAULT_REMOTE_DIR/datastore/rsync"
    run -0 --separate-stderr link backup1 ensure
    [[ $output == *'belongs to somebody else' ]]
}

@test "a server that cannot be reached is not one that runs nothing of ours" {
    a_server
    run -1 --separate-stderr link unreachable ensure
    [[ $stderr == *"cannot reach 'unreachable'"* ]]
}
