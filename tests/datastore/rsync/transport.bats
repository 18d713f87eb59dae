# SPDX-License-Identifier: Apache-2.0
# The way to a server: keys of both sides, what ssh is configured to do, and a network that fails.
# shellcheck disable=SC2016  # scripts for the other side

load ../../helper

setup_file() {
    mkdir -p "$BATS_FILE_TMPDIR/sshd"
    ssh-keygen -q -t rsa -b 2048 -N '' -f "$BATS_FILE_TMPDIR/rsa"
    ssh-keygen -q -t ed25519 -N '' -f "$BATS_FILE_TMPDIR/stranger"
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" HostKey "$BATS_FILE_TMPDIR/rsa" \
        --owner $$)"
    export PATH SSHD=$BATS_FILE_TMPDIR/sshd
    cat "$BATS_FILE_TMPDIR/rsa.pub" >>"$SSHD/id.pub"
    head -c 20000000 /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}
teardown_file() { "$FIXTURES/sshd" stop "$SSHD"; }

setup() {
    unset SSH_AUTH_SOCK
    export TRANSPORT=libssh2
}
teardown() {
    local pid
    for pid in ${PIDS-}; do kill "$pid" 2>/dev/null || true; done
    for pid in $(cat "$BATS_TEST_TMPDIR"/*.stopped 2>/dev/null); do kill -KILL "$pid" || true; done
}

link() { "$BUILD/tests/datastore/rsync/link" "$@"; }

# client KEYWORD VALUE...: our ssh_config has these, too, and before the others
client() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    { printf '%s %s\n' "$@" && cat "$SSHD/ssh_config"; } >"$BATS_TEST_TMPDIR/ssh_config"
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$BATS_TEST_TMPDIR/ssh_config" \
        >"$BATS_TEST_TMPDIR/bin/ssh"
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# through_proxy ARGS...: all our connections go through such a proxy
through_proxy() {
    local port
    "$FIXTURES/proxy" "$(awk '$1 == "Port" { print $2 }' "$SSHD/ssh_config")" "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/proxy" 3>&- &
    PIDS+=" $!"
    eventually test -s "$BATS_TEST_TMPDIR/proxy"
    read -r port <"$BATS_TEST_TMPDIR/proxy"
    client Port "$port"
}

@test "libssh2 carries bytes, errors and status of a program" {
    link backup1 exec sh -c 'cat >"$0"; cat "$0"' "$BATS_TEST_TMPDIR/there" <"$BATS_FILE_TMPDIR/bytes" |
        cmp - "$BATS_FILE_TMPDIR/bytes"
    run -3 --separate-stderr link backup1 exec sh -c 'echo out; echo oh dear >&2; exit 3' </dev/null
    [ "$output" = out ]
    [ "$stderr" = 'oh dear' ]
    run -143 link backup1 exec sh -c 'kill -TERM $$' </dev/null
}

@test "room to send that comes while something else is looked for is not missed" {
    # Somebody who takes it more slowly than it can be sent.
    LD_PRELOAD=$BUILD/tests/faults/late.so timeout 100 "$BUILD/tests/datastore/rsync/link" \
        backup1 exec sh -c 'gzip -1 | gzip -d | wc -c' < <(head -c 8000000 "$BATS_FILE_TMPDIR/bytes") >"$BATS_TEST_TMPDIR/out"
    [ "$(<"$BATS_TEST_TMPDIR/out")" -eq 8000000 ]
}

@test "an unknown host key is refused, and so is a changed one" {
    client UserKnownHostsFile /dev/null
    run -1 link backup1 exec true </dev/null
    [[ $output == "the host key of 'backup1' is not in known_hosts as '[127.0.0.1]:"* ]]
    echo "* $(cut -d' ' -f1,2 "$BATS_FILE_TMPDIR/stranger.pub")" >"$BATS_TEST_TMPDIR/known"
    client UserKnownHostsFile "$BATS_TEST_TMPDIR/known"
    run -1 link backup1 exec true </dev/null
    [[ $output == "the host key of 'backup1' has changed: it shows ssh-ed25519 SHA256:"* ]]
    TRANSPORT=auto run -1 link backup1 exec true </dev/null
    [[ $output == *'has changed'* ]]
    { cat "$BATS_TEST_TMPDIR/known"; echo "@revoked $(cat "$SSHD/known_hosts")"; cat "$SSHD/known_hosts"; } \
        >"$BATS_TEST_TMPDIR/revoked"
    client UserKnownHostsFile "$BATS_TEST_TMPDIR/revoked"
    run -1 link backup1 exec true </dev/null
    [[ $output == *'is revoked in known_hosts' ]]
}

@test "a hashed name in known_hosts is found" {
    local port
    port=$(awk '$1 == "Port" { print $2 }' "$SSHD/ssh_config")
    sed "s/^\*/[127.0.0.1]:$port/" "$SSHD/known_hosts" >"$BATS_TEST_TMPDIR/known"
    ssh-keygen -q -H -f "$BATS_TEST_TMPDIR/known"
    run ! grep 127.0.0.1 "$BATS_TEST_TMPDIR/known"
    client UserKnownHostsFile "$BATS_TEST_TMPDIR/known"
    run -0 link backup1 exec true </dev/null
}

@test "an unknown host key that ssh would accept is left to ssh" {
    client UserKnownHostsFile "$BATS_TEST_TMPDIR/new" StrictHostKeyChecking accept-new
    run -1 link backup1 exec true </dev/null
    [[ $output == *'libssh2 takes no new one; RSYNC_TRANSPORT=ssh can' ]]
    export TRANSPORT=auto
    run -0 --separate-stderr link backup1 exec echo there </dev/null
    [ "$output" = there ]
    [[ $stderr == *'the ssh program carries the data'* ]]
    run -0 --separate-stderr link backup1 exec echo there </dev/null   # by now it is known
    [[ $stderr != *'the ssh program'* ]]
}

@test "a refused key is one line that says what to do" {
    client IdentityFile "$BATS_FILE_TMPDIR/stranger"
    sed -i '/sshd\/id$/d' "$BATS_TEST_TMPDIR/ssh_config"
    run -1 link backup1 exec true </dev/null
    [ "$output" = "cannot log in to 'backup1' as '$(id -un)': 1 key was refused; is the public key in its authorized_keys?" ]
    sed -i '/IdentityFile/d; $aIdentityFile none' "$BATS_TEST_TMPDIR/ssh_config"
    run -1 link backup1 exec true </dev/null
    [[ $output == *'there is no key for it'* ]]
}

@test "where there are only RSA keys, auto takes the ssh program, and libssh2 names the remedy" {
    client IdentityFile "$BATS_FILE_TMPDIR/rsa"
    sed -i '/sshd\/id$/d' "$BATS_TEST_TMPDIR/ssh_config"
    run -1 link backup1 exec true </dev/null
    [[ $output == *'libssh2 cannot use keys of type ssh-rsa; RSYNC_TRANSPORT=ssh can, or make an ed25519 key' ]]
    TRANSPORT=auto run -0 link backup1 exec echo there </dev/null
    [[ $output == *'the ssh program carries the data'*there ]]
}

@test "where only the RSA key of the server is known, auto takes the ssh program" {
    echo "* $(cut -d' ' -f1,2 "$BATS_FILE_TMPDIR/rsa.pub")" >"$BATS_TEST_TMPDIR/known"
    client UserKnownHostsFile "$BATS_TEST_TMPDIR/known"
    run -1 link backup1 exec true </dev/null
    [[ $output == "known_hosts has only a key of type ssh-rsa for "* ]]
    TRANSPORT=auto run -0 link backup1 exec echo there </dev/null
    [[ $output == *'the ssh program carries the data'*there ]]
}

@test "an agent's key is used, also if the file of it is locked" {
    local agent
    eval "$(ssh-agent -s)" >/dev/null
    agent=$SSH_AGENT_PID
    PIDS+=" $agent"
    ssh-add -q "$SSHD/id"
    client IdentityFile none
    sed -i '/sshd\/id$/d; s/IdentitiesOnly yes//' "$BATS_TEST_TMPDIR/ssh_config"
    run -0 link backup1 exec true </dev/null
    cp "$SSHD/id" "$BATS_TEST_TMPDIR/locked"
    ssh-keygen -q -p -P '' -N secret -f "$BATS_TEST_TMPDIR/locked"
    client IdentityFile "$BATS_TEST_TMPDIR/locked"
    sed -i '/sshd\/id$/d' "$BATS_TEST_TMPDIR/ssh_config"
    run -0 link backup1 exec true </dev/null
    unset SSH_AUTH_SOCK
    run -1 link backup1 exec true </dev/null
    [[ $output == *'neither in an agent nor in a file without a passphrase' ]]
}

@test "a ProxyCommand, a ProxyJump and an ssh of one's own are for the ssh program" {
    export TRANSPORT=auto
    client ProxyCommand "nc 127.0.0.1 $(awk '$1 == "Port" { print $2 }' "$SSHD/ssh_config")"
    command -v nc >/dev/null || client ProxyCommand \
        "python3 $BATS_TEST_TMPDIR/nc $(awk '$1 == "Port" { print $2 }' "$SSHD/ssh_config")"
    cat >"$BATS_TEST_TMPDIR/nc" <<'NC'
import os, socket, sys, threading
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
def up():
    while b := os.read(0, 65536): s.sendall(b)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while b := s.recv(65536): os.write(1, b)
NC
    run -0 link backup1 exec echo there </dev/null
    [[ $output == *"ssh reaches 'backup1' through '"*there ]]
    TRANSPORT=libssh2 run -1 link backup1 exec true </dev/null
    [[ $output == *'which libssh2 cannot; RSYNC_TRANSPORT=ssh can' ]]
    client User nobody-here
    ARGS="-e 'ssh -l $(id -un)'" run -0 link backup1 exec echo there </dev/null
    [ "$output" = there ]
}

@test "RSYNC_ARGS limits the bandwidth" {
    local began=$EPOCHREALTIME ended
    ARGS='--bwlimit=4m' link backup1 exec sh -c 'cat >/dev/null' < <(head -c 6000000 /dev/zero)
    ended=$EPOCHREALTIME
    [ $((${ended/./} - ${began/./})) -gt 900000 ]   # it takes 1.4 s, but for what is saved up
}

@test "a connection that is cut in the middle is one line" {
    through_proxy --cut 5000000
    local transport
    for transport in libssh2 ssh; do
        TRANSPORT=$transport run -1 link backup1 exec sh -c 'cat >"$0"' "$BATS_TEST_TMPDIR/part" \
            <"$BATS_FILE_TMPDIR/bytes"
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == *"'backup1'"* ]]
    done
    [ "$(grep -c cut "$BATS_TEST_TMPDIR/proxy")" -eq 2 ]
}

@test "silence has an end" {
    through_proxy --silent 5000000
    local transport
    for transport in libssh2 ssh; do
        ARGS=--timeout=4 TRANSPORT=$transport run -1 link backup1 exec sh -c 'cat >/dev/null' \
            <"$BATS_FILE_TMPDIR/bytes"
        [ "$output" = "nothing has come from 'backup1' and it has taken nothing for 4 s" ]
    done
}

# asked EVERY COUNT: a silent server is asked whether it lives
asked() {
    client ServerAliveInterval "$1" ServerAliveCountMax "$2"
    PROGRAM="ssh -o ServerAliveInterval=$1 -o ServerAliveCountMax=$2"
}
# link_by TRANSPORT [ARG...]
link_by() {
    case $1 in
        ssh) ARGS="-e '$PROGRAM'" TRANSPORT=ssh link backup1 "${@:2}" ;;
        *) TRANSPORT=$1 link backup1 "${@:2}" ;;
    esac
}

@test "a server that has nothing to say, but lives, is waited for" {
    asked 1 8   # it would be given up after 9 s
    local transport
    for transport in libssh2 ssh; do
        link_by $transport exec sh -c 'sleep 11; echo there' </dev/null \
            >"$BATS_TEST_TMPDIR/$transport" 2>&1 3>&- &
        PIDS+=" $!"
    done
    wait
    PIDS=
    [ "$(cat "$BATS_TEST_TMPDIR/libssh2")" = there ]
    [ "$(cat "$BATS_TEST_TMPDIR/ssh")" = there ]
}

@test "a server that lives no more is given up, though its connection stays open" {
    asked 1 2
    local transport
    for transport in libssh2 ssh; do
        link_by $transport exec sh -c 'echo $$ $PPID >"$0"; kill -STOP $PPID; exec sleep 300' \
            "$BATS_TEST_TMPDIR/$transport.stopped" </dev/null >"$BATS_TEST_TMPDIR/$transport" 2>&1 3>&- &
        PIDS+=" $!"
    done
    wait
    PIDS=
    [ "$(cat "$BATS_TEST_TMPDIR/libssh2")" = "the connection to 'backup1' is dead: no sign of life for 2 s" ]
    [ "$(cat "$BATS_TEST_TMPDIR/ssh")" = \
        "the connection to 'backup1' failed: Timeout, server 127.0.0.1 not responding." ]
}

@test "a server that takes nothing any more is given up" {
    through_proxy --silent 5000000
    sed -i '1i ServerAliveInterval 1\nServerAliveCountMax 2' "$BATS_TEST_TMPDIR/ssh_config"
    run -1 link backup1 exec sh -c 'cat >/dev/null' <"$BATS_FILE_TMPDIR/bytes"
    [ "$output" = "the connection to 'backup1' is dead: no sign of life for 2 s" ]
}

@test "garbage instead of ssh is one line" {
    through_proxy --garbage 4000
    run -1 link backup1 exec cat /dev/zero </dev/null
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"'backup1'"* ]]
}

@test "a server that is not ssh at all is one line" {
    through_proxy --garbage 1
    run -1 link backup1 exec true </dev/null
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "cannot begin to speak ssh with 'backup1'"* ]]
}

@test "a cancellation ends the program on the server, too" {
    local transport pid there
    mkfifo "$BATS_TEST_TMPDIR/hold"
    exec 7<>"$BATS_TEST_TMPDIR/hold"   # nobody writes there, and it has no end
    for transport in libssh2 ssh; do
        there=$BATS_TEST_TMPDIR/$transport
        # It takes the end of its input for our death.
        TRANSPORT=$transport "$BUILD/tests/datastore/rsync/link" backup1 exec sh -c 'echo began >"$0"; cat; echo ended >"$0"' \
            "$there" <&7 7>&- 3>&- &
        pid=$!
        PIDS+=" $pid"
        eventually grep -qs began "$there"
        kill -TERM $pid
        eventually grep -q ended "$there"
    done
}
