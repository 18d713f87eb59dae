#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Disks of one backup go to the server side by side.

load ../../helper
load send

setup_file() { send_setup; }
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }
setup() { send_env; }

# disks [N]: so many, each just large enough for a channel of its own
disks() {
    local n
    for ((n = 0; n < ${1:-3}; n++)); do
        [ -e "$BATS_FILE_TMPDIR/disk.$n.0" ] || noise $((16 << 20)) >"$BATS_FILE_TMPDIR/disk.$n.0"
        cp "$BATS_FILE_TMPDIR/disk.$n.0" "$dir/"
    done
}

# a_server SHELL_LINES: a server whose processes do that; each has its number as "n", from 1 on in the
# order in which they begin, and "rest" is the server itself
a_server() {
    rm -rf "$work"/process.*
    cat >"$work/server" <<SH
#!/bin/bash
n=1
until mkdir "$work/process.\$n" 2>/dev/null; do n=\$((n + 1)); done
work=$work
rest() { exec "$SERVER"; }
first() { stdbuf -o0 head -c "\$1"; }   # so many bytes of what comes
until_there() { for ((i = 0; i < 1200; i++)); do [ -e "\$1" ] && return; sleep 0.05; done; }
$1
SH
    chmod +x "$work/server"
}
# The first process gets no more than a part of a disk until another one is there, too.
together='[ $n -ne 1 ] || { { first 5000000; until_there "$work/process.2"; cat; } | rest; exit; }
    rest'

@test "disks go side by side, and the backup is what it would be one after another" {
    disks
    echo '<NVRAM/>' >"$dir/nvram.fd"
    a_server "$together"
    run -0 --separate-stderr send aaaaaa "$work/server"
    [[ $stderr =~ ', by '[23]' channels;' ]]
    stored aaaaaa
    [ "$(ls -A "$base/12")" = aaaaaa ]
    run -0 ls -A "$base/12/aaaaaa"
    [ "${lines[*]}" = 'blocks.0.0 blocks.1.0 blocks.2.0 disk.0.0 disk.1.0 disk.2.0 nvram.fd rsig.0.0 rsig.1.0 rsig.2.0 vm.xml' ]
    # And of the next ones only what changed crosses.
    for n in 0 1 2; do change "$dir/disk.$n.0" $((n << 20)) 65536; done
    a_server "${together/5000000/5000}"
    run -0 --separate-stderr send bbbbbb "$work/server"
    [[ $stderr =~ ', by '[23]' channels; a delta of aaaaaa' ]]
    less "$(mib sent <<<"$stderr")" 0.6
    stored bbbbbb
}

@test "one disk, small ones, and those of a datastore that says so go by one channel" {
    disks 1
    noise 1000000 >"$dir/disk.1.0"
    a_server 'rest'
    run -0 --separate-stderr send aaaaaa "$work/server"
    [[ $stderr != *channels* ]]
    [ ! -e "$work/process.2" ]
    disks 3
    a_server 'rest'
    CHANNELS=1 run -0 --separate-stderr send bbbbbb "$work/server"
    [[ $stderr != *channels* ]]
    [ ! -e "$work/process.2" ]
    stored bbbbbb
}

@test "where no second channel is to be had, one does all" {
    disks 2
    # It goes on when the others have given up.
    a_server '[ $n -ne 1 ] || { { first 5000000; until_there "$work/refused"; cat; } | rest; exit; }
        read -r line; touch "$work/refused"; echo "no, thanks" >&2; exit 1'
    run -0 --separate-stderr send aaaaaa "$work/server"
    [[ $stderr == *'INFO: send: fewer disks go side by side: no, thanks'* ]]
    stored aaaaaa
}

@test "cut off at any tenth, all of it goes on where it was" {
    disks
    for ((tenth = 1; tenth < 10; tenth++)); do
        echo "cut at $tenth/10"
        rm -rf "$base/12" "$work/cut"
        local TRANSPORT=ssh   # a connection for each, or one for all
        ((tenth % 2)) || TRANSPORT=libssh2
        # Whoever comes to that byte of a disk first breaks his connection.
        a_server '[ ! -e "$work/cut" ] || rest
            { first '$((tenth * (16 << 20) / 10))'; mkdir "$work/cut" 2>/dev/null && kill -KILL $PPID; cat; } | rest'
        run -0 --separate-stderr send aaaaaa "$work/server"
        [[ $stderr == *'; trying to go on'* ]]
        stored aaaaaa
        [ "$(ls -A "$base/12")" = aaaaaa ]
        # Of all, no more than one disk is sent again.
        less "$(mib sent <<<"$stderr")" 65
    done
}

@test "when one of the processes there is killed, all begin again where they were" {
    disks 2
    for n in 1 2; do
        echo "process $n"
        rm -rf "$base/12" "$work/cut"
        a_server '[ ! -e "$work/cut" ] || rest
            [ $n -ne '$n' ] || {
                mkfifo "$work/fifo.$n"
                "'"$SERVER"'" <"$work/fifo.$n" & pid=$!
                { first 8000000; until_there "$work/process.2"; mkdir "$work/cut"; kill -KILL $pid; } >"$work/fifo.$n"
                exit 137
            }
            [ $n -ne 1 ] || { { first 5000000; until_there "$work/cut"; cat; } | rest; exit; }
            rest'
        run -0 --separate-stderr send aaaaaa "$work/server"
        [[ $stderr == *'; trying to go on'* ]]
        stored aaaaaa
        [ "$(ls -A "$base/12")" = aaaaaa ]
    done
}

@test "another process goes on where all channels of a killed one were" {
    disks 2
    a_server '{ first 10000000; until_there "$work/on"; } | rest'
    request aaaaaa "$work/server" >"$work/line"
    "$SEND" < <(cat "$work/line"; exec sleep 60 3>&-) >"$work/out" 2>&1 3>&- &
    eventually have_come 4
    kill -KILL $!
    wait $! || true
    touch "$work/on"
    eventually flock -n "$base/12/aaaaaa.partial/.lock" true   # they have seen it
    [ ! -e "$base/12/aaaaaa" ]
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    less 8 "$(mib 'were there' <<<"$stderr")"
    [ "$(ls -A "$base/12")" = bbbbbb ]
}
# so many MiB of each of the first two disks
have_come() {
    local n size
    for n in 0 1; do
        size=$(stat -c %s "$base"/12/*.partial/disk.$n.0 2>/dev/null) || return
        [ "$size" -ge $(($1 << 20)) ] || return
    done
}

@test "what is wrong with one disk costs that one a second time" {
    disks 3
    send aaaaaa
    change "$base/12/aaaaaa/disk.1.0" $((7 << 20)) 4096
    for n in 0 1 2; do change "$dir/disk.$n.0" $((n << 20)) 65536; done
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    [[ $stderr == *'sent twice'* ]]
    less "$(mib sent <<<"$stderr")" 18
}

@test "a server that is full says so once, and nothing stays there" {
    can_unshare || skip 'this user may not mount'
    disks 3
    run -1 --separate-stderr unshare -m --propagation private bash -c '
        bats_require_minimum_version() { :; }
        source "$0"; source "$1"; shift 1; send_env
        cp "$BATS_FILE_TMPDIR"/disk.*.0 "$dir"
        mount -t tmpfs -o size=20m none "$base"
        request aaaaaa | jq -Rr "@base64d | fromjson | .host = \"localhost\" | @base64" >"$work/line"
        send_line
        status=$?
        [ ! -e "$base/12" ] || ls -A "$base/12"
        exit $status' "$ROOT/tests/helper.bash" "$BATS_TEST_DIRNAME/send.bash"
    [[ $stderr == *'No space left on device'* ]]
    [ "$(grep -vc '^INFO: ' <<<"$stderr")" -eq 1 ]
    run -1 grep -v '"done"' <<<"$output"
}

@test "when nobody waits any more, all channels end, and nothing stays there" {
    disks 2
    mkfifo "$work/stdin"
    "$SEND" <"$work/stdin" 2>"$work/err" 3>&- &
    exec 8>"$work/stdin"
    ARGS='-aS --bwlimit=1000' request aaaaaa >&8   # half a minute
    eventually have_come 1
    exec 8>&-
    status=0
    wait $! || status=$?
    [ $status -eq 143 ]
    nothing_is_there
}
