# SPDX-License-Identifier: Apache-2.0
# Many links over one connection, at the same time.
# shellcheck disable=SC2016  # scripts for the other side

load ../../helper

setup_file() {
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" LogLevel VERBOSE MaxSessions 6 --owner $$)"
    export PATH SSHD=$BATS_FILE_TMPDIR/sshd BYTES=$BATS_FILE_TMPDIR/bytes
    head -c 6000000 /dev/urandom >"$BYTES"
}
teardown_file() { "$FIXTURES/sshd" stop "$SSHD"; }
setup() { export TRANSPORT=libssh2; }
teardown() { [ -z "${PROXY-}" ] || kill "$PROXY"; }

channels() { "$BUILD/tests/datastore/rsync/channels" backup1 "$BYTES" "$@"; }
logins() { grep -c 'Accepted publickey' "$SSHD/log" || true; }

# through_proxy ARGS...: all our connections go through such a proxy
through_proxy() {
    local port
    "$FIXTURES/proxy" "$(awk '$1 == "Port" { print $2 }' "$SSHD/ssh_config")" "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/proxy" 3>&- &
    PROXY=$!
    eventually test -s "$BATS_TEST_TMPDIR/proxy"
    read -r port <"$BATS_TEST_TMPDIR/proxy"
    mkdir "$BATS_TEST_TMPDIR/bin"
    sed "s/Port .*/Port $port/" "$SSHD/ssh_config" >"$BATS_TEST_TMPDIR/ssh_config"
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$BATS_TEST_TMPDIR/ssh_config" \
        >"$BATS_TEST_TMPDIR/bin/ssh"
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "programs and SFTP go side by side over one login, and nobody gets the bytes of another" {
    local before
    before=$(logins)
    run -0 channels echo:cat "get:cat '$BYTES'" "sftp:$BATS_TEST_TMPDIR/a" echo:cat \
        "sftp:$BATS_TEST_TMPDIR/b" "put:cmp - '$BYTES' && echo the same"
    [ "$output" = 'the same' ]
    cmp "$BATS_TEST_TMPDIR/a" "$BYTES"
    [ "$(logins)" -eq $((before + 1)) ]
}

@test "who does not read keeps nobody else waiting" {
    run -0 channels 'lazy:exec cat /dev/zero' echo:cat "get:cat '$BYTES'" 'lazy:exec cat /dev/zero' \
        'put:cat >/dev/null; echo there'
    [ "$output" = there ]
}

@test "more links than the server allows on a connection take another one; a program each with ssh" {
    local before
    before=$(logins)
    run -0 channels echo:cat echo:cat echo:cat echo:cat echo:cat echo:cat echo:cat echo:cat 'lazy:echo x; cat'
    [ "$(logins)" -eq $((before + 2)) ]
    TRANSPORT=ssh run -0 channels echo:cat echo:cat 'lazy:exec cat /dev/zero'
}

@test "a program that fails and SFTP that is refused end alone" {
    run -1 channels echo:cat 'put:cat >/dev/null; echo oh dear >&2; exit 3' "sftp:/none/x" "sftp:$BATS_TEST_TMPDIR/a"
    [ "${lines[0]}" = '2: status 3: oh dear' ]
    [ "${lines[1]}" = "3: cannot write '/none/x' on 'backup1': there is no such file" ]
    [ "${#lines[@]}" -eq 2 ]
    cmp "$BATS_TEST_TMPDIR/a" "$BYTES"
}

@test "a program that ends while it is sent to is told at once, with what it said, and answered or not" {
    # As little as a window: the rest waits for a program that reads no more.
    local script=() end
    for end in 'echo oh dear >&2; exit 3' 'echo an answer; echo oh dear >&2; exit 3' \
        'echo an answer; exit 0' 'echo an answer; kill -9 $$'; do
        script+=("put:head -c 1000000 >/dev/null; $end")
    done
    ARGS=--timeout=60 run -1 channels "${script[@]}" echo:cat
    [ "${lines[0]}" = "1: the program on 'backup1' has ended: oh dear" ]
    [ "${lines[1]}" = "2: the program on 'backup1' has ended: oh dear" ]
    [ "${lines[2]}" = "3: the program on 'backup1' has ended" ]
    [ "${lines[3]}" = "4: the program on 'backup1' has ended" ]
    [ "${#lines[@]}" -eq 4 ]
}

@test "a lost connection is the end of all links, with the same line" {
    through_proxy --cut 5000000
    run -1 channels echo:cat echo:cat echo:cat
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[0]#*: }" = "${lines[1]#*: }" ]
    [ "${lines[0]#*: }" = "${lines[2]#*: }" ]
    [[ ${lines[0]} == *"'backup1'"* ]]
}

@test "a link that is silent has its end, however much the others hear" {
    ARGS=--timeout=5 run -1 channels 'put:cat >/dev/null; sleep 100' \
        'get:while echo more; do sleep 0.1; done'
    [ "${lines[0]}" = "1: nothing has come from 'backup1' and it has taken nothing for 5 s" ]
    [ "${lines[1]#2}" = "${lines[0]#1}" ]
}

@test "the bandwidth limit is that of all links together" {
    local began=$EPOCHREALTIME ended
    ARGS='--bwlimit=8m' run -0 channels 'put:cat >/dev/null' 'put:cat >/dev/null'
    ended=$EPOCHREALTIME
    [ $((${ended/./} - ${began/./})) -gt 1000000 ]   # 12 MB take 1.4 s, but for what is saved up
}

@test "keys are exchanged again in the middle of everything" {
    mkdir "$BATS_TEST_TMPDIR/other"
    "$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/other" RekeyLimit 1M --owner $$ >"$BATS_TEST_TMPDIR/env"
    PATH=$BATS_TEST_TMPDIR/other/bin:$PATH run -0 channels echo:cat "get:cat '$BYTES'" \
        "sftp:$BATS_TEST_TMPDIR/a" 'put:cat >/dev/null; echo there'
    "$FIXTURES/sshd" stop "$BATS_TEST_TMPDIR/other"
    [ "$output" = there ]
}
