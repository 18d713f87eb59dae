#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A backup goes to the server: whole, as a delta, in parts, and not at all.

load ../../helper
load send

setup_file() { send_setup; }
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }
setup() { send_env; }
teardown() { [ -z "${PROXY-}" ] || kill "$PROXY"; }

# made once: what it is does not matter
disk() {
    [ -e "$BATS_FILE_TMPDIR/disk" ] || noise $((40 << 20)) >"$BATS_FILE_TMPDIR/disk"
    cp "$BATS_FILE_TMPDIR/disk" "$dir/disk.0.0"
}

@test "the files arrive as they are, with side files that rdiff would write" {
    disk
    truncate -s 30M "$dir/disk.1.0"
    noise 5000 >"$dir/disk.1.0.rbdiff"
    : >"$dir/disk.2.0"
    touch -d 2020-01-01 "$dir/disk.0.0"
    run -0 --separate-stderr send aaaaaa
    [ "${lines[-1]}" = '{"stored":"aaaaaa"}' ]
    [[ $stderr == 'INFO: send: '*'whole files'* ]]
    stored aaaaaa
    [ "$(stat -c %Y "$base/12/aaaaaa/disk.0.0")" -eq "$(date -d 2020-01-01 +%s)" ]
    run -0 ls "$base/12/aaaaaa"
    [ "${lines[*]}" = 'blocks.0.0 blocks.1.0 blocks.2.0 disk.0.0 disk.1.0 disk.1.0.rbdiff disk.2.0 rsig.0.0 rsig.1.0 rsig.2.0 vm.xml' ]
    [ "$(stat -c %b "$base/12/aaaaaa/disk.1.0")" -lt 2048 ]   # a hole has stayed one
}

@test "an increment is sent whole, and nobody misses a full for it" {
    noise 100000 >"$dir/disk.0.1"
    run -0 --separate-stderr send aaaaaa
    stored aaaaaa
    [[ $stderr == *' sent; whole files, as those of an increment are' ]]
}

@test "of a later full only what changed crosses, with and without what this machine remembers" {
    disk
    send aaaaaa
    change "$dir/disk.0.0" $((5 << 20)) 65536
    change "$dir/disk.0.0" $((20 << 20)) 4096
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    [[ $stderr == *'a delta of aaaaaa'* ]]
    less "$(mib sent <<<"$stderr")" 0.2
    rm -r "$VMVAULT_VAR"
    change "$dir/disk.0.0" $((30 << 20)) 65536
    run -0 --separate-stderr send cccccc
    stored cccccc
    [[ $stderr == *'a delta of bbbbbb'* ]]
    less "$(mib sent <<<"$stderr")" 0.6
    # What was made of old entries and new ones is what would have been made of the file alone.
    base=$work/other send dddddd
    cmp "$base/12/cccccc/rsig.0.0" "$work/other/12/dddddd/rsig.0.0"
    cmp "$base/12/cccccc/blocks.0.0" "$work/other/12/dddddd/blocks.0.0"
}

@test "what moved is found: by clusters, and by odd amounts" {
    disk
    send aaaaaa
    { head -c 10M "$dir/disk.0.0"; noise 65536; tail -c +$(((10 << 20) + 1)) "$dir/disk.0.0"; } >"$work/moved"
    mv "$work/moved" "$dir/disk.0.0"
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    less "$(mib sent <<<"$stderr")" 0.5
    { head -c 10M "$dir/disk.0.0"; echo odd; tail -c +$(((10 << 20) + 1)) "$dir/disk.0.0"; } >"$work/moved"
    mv "$work/moved" "$dir/disk.0.0"
    run -0 --separate-stderr send cccccc
    stored cccccc
    less "$(mib sent <<<"$stderr")" 2
}

@test "-z compresses what crosses, and with -W it is the whole file" {
    yes 'much the same' | head -c 8M >"$dir/disk.0.0"
    ARGS=-aSz run -0 --separate-stderr send aaaaaa
    stored aaaaaa
    less "$(mib sent <<<"$stderr")" 1
    change "$dir/disk.0.0" $((5 << 20)) 65536
    ARGS='-aS -W' run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    [[ $stderr == *'whole files, as RSYNC_ARGS asks for'* ]]
    less 7.9 "$(mib sent <<<"$stderr")"
}

@test "increments are sent whole" {
    noise 1000000 >"$dir/disk.0.1"
    send aaaaaa
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    [[ $stderr == *'whole files'* ]]
    run -0 ls "$base/12/bbbbbb"
    [ "${lines[*]}" = 'disk.0.1 vm.xml' ]
}

# cut_after BYTES [COMMAND]: a server whose first connection is cut there, by the death of its sshd; or
# the command decides what it gets after that
cut_after() {
    rm -rf "$work/cut"
    cat >"$work/server" <<SH
#!/bin/bash
mkdir "$work/cut" 2>/dev/null || exec "$SERVER"
{ stdbuf -o0 head -c $1; ${2:-kill -KILL \$PPID}; } | "$SERVER"
SH
    chmod +x "$work/server"
}

@test "an upload that is cut off at any tenth goes on where it was" {
    disk
    for ((tenth = 1; tenth < 10; tenth++)); do
        echo "cut at $tenth/10"
        rm -rf "$base/12"
        cut_after $((tenth << 22))
        run -0 --separate-stderr send aaaaaa "$work/server"
        [[ $stderr == *'; trying to go on'* ]]
        stored aaaaaa
        # What was under way is lost: pipes, and frames that had not come whole.
        less $((tenth * 4 - 3)) "$(mib 'were there' <<<"$stderr")"
        less "$(mib sent <<<"$stderr")" 50
    done
}

@test "a delta that is cut off goes on where it was" {
    disk
    send aaaaaa
    for ((n = 0; n < 40; n++)); do change "$dir/disk.0.0" $((n << 20)) 524288; done
    # The server hears of it long after the client.
    cut_after $((10 << 20)) "kill -KILL \$PPID; sleep 1"
    run -0 --separate-stderr send bbbbbb "$work/server"
    stored bbbbbb
    [[ $stderr == *'a delta of aaaaaa'* ]]
    less 12 "$(mib 'were there' <<<"$stderr")"
    less "$(mib sent <<<"$stderr")" 26
}

@test "who comes after one that was killed goes on, too; but not with other files" {
    disk
    cut_after $((20 << 20)) "$until_told"
    request aaaaaa "$work/server" >"$work/line"
    "$SEND" < <(cat "$work/line"; exec sleep 60 3>&-) >"$work/out" 3>&- &
    eventually has_come 10
    kill -KILL $!
    wait $! || true
    [ ! -e "$base/12/aaaaaa" ]
    touch "$work/go"
    eventually nobody_serves
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    less 5 "$(mib 'were there' <<<"$stderr")"
    [ "$(ls "$base/12")" = bbbbbb ]
}
# For cut_after: the rest comes when the test says so.
until_told='until [ -e "${0%/*}/go" ]; do sleep 0.05; done; cat'
nobody_serves() { ! pgrep -f "$work/server" >/dev/null; }
has_come() { [ "$(cat "$base"/12/*/disk.0.0 | wc -c)" -ge $(($1 << 20)) ]; }

# through_silence BYTES: connections go through a proxy that says nothing more after so many from the
# client, which asks every second whether the server lives; what the server has stays open
through_silence() {
    local sshd=$BATS_FILE_TMPDIR/sshd port
    "$FIXTURES/proxy" "$(awk '$1 == "Port" { print $2 }' "$sshd/ssh_config")" --silent "$1" \
        </dev/null >"$work/proxy" 3>&- &
    PROXY=$!
    eventually test -s "$work/proxy"
    read -r port <"$work/proxy"
    mkdir "$work/bin"
    { printf 'ServerAliveInterval 1\nServerAliveCountMax 2\n'; sed "s/Port .*/Port $port/" "$sshd/ssh_config"; } \
        >"$work/bin/config"
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$work/bin/config" >"$work/bin/ssh"
    chmod 755 "$work/bin/ssh"
    PATH=$work/bin:$PATH
}

@test "a connection that dies in silence is given up over there, too, and all goes on where it was" {
    disk
    through_silence 25000000
    TRANSPORT=libssh2 run -0 --separate-stderr send aaaaaa
    [ "$(grep -cx silent "$work/proxy")" -eq 1 ]
    stored aaaaaa
    less 10 "$(mib 'were there' <<<"$stderr")"
    [ "$(ls "$base/12")" = aaaaaa ]
}

@test "who has a lost connection is waited for, and nothing goes under another name meanwhile" {
    disk
    # It hears of it when the sender has complained.
    cut_after $((20 << 20)) "kill -KILL \$PPID; until grep -qs 'still works on' '$work/err'; do sleep 0.05; done"
    send aaaaaa "$work/server" 2>"$work/err"
    stored aaaaaa
    grep "cannot take 'aaaaaa' now: another process there still works on an upload of that name; trying to go on" \
        "$work/err"
    less 15 "$(mib 'were there' <"$work/err")"
    [ "$(ls "$base/12")" = aaaaaa ]
}

@test "where somebody has the name of an upload, it fails before anything is sent" {
    disk
    mkdir -p "$base/12/aaaaaa.partial"
    exec 8>"$base/12/aaaaaa.partial/.lock"
    flock 8
    run -1 --separate-stderr send aaaaaa 8>&-
    exec 8>&-
    [ "$stderr" = "the server cannot take 'aaaaaa' now: another process there still works on an upload of that name" ]
    [ -z "$output" ]
    [ "$(ls "$base/12")" = aaaaaa.partial ]
}

@test "an old full that is not what its signature says costs a whole upload, no backup" {
    disk
    send aaaaaa
    change "$base/12/aaaaaa/disk.0.0" $((7 << 20)) 4096
    change "$dir/disk.0.0" $((5 << 20)) 65536
    run -0 --separate-stderr send bbbbbb
    stored bbbbbb
    [[ $stderr == *'sent twice'* ]]
    # The same by a table that was tampered with, for who does not remember the right one.
    rm -r "$VMVAULT_VAR"
    change "$base/12/bbbbbb/blocks.0.0" 40000 65536
    truncate -s 10 "$base/12/bbbbbb/rsig.0.0"
    change "$dir/disk.0.0" $((9 << 20)) 65536
    run -0 --separate-stderr send cccccc
    stored cccccc
    [[ $stderr == *"WARN: send: 'disk.0.0' is sent whole: "* ]]
}

@test "a file that cannot be read is the failure of the whole backup" {
    # Whose mem says EIO.
    jq -cn --arg dir "/proc/$$" --arg base "$base" --arg server "$SERVER" '{directory: $dir,
        files: [{name: "mem", size: 0}], host: "server", base: $base, vm: 12, name: "aaaaaa",
        transport: "ssh", server: {argv: [$server]}}' | base64 -w0 >"$work/line"
    run -1 --separate-stderr "$SEND" < <(cat "$work/line"; echo; exec sleep 60 3>&-)
    [ "$stderr" = "cannot read '/proc/$$/mem': Input/output error" ]
    [ -z "$output" ]
    nothing_is_there
}

@test "a file of another size than was said is refused" {
    noise 1000 >"$dir/disk.0.0"
    request aaaaaa >"$work/line"
    echo more >>"$dir/disk.0.0"
    run -1 --separate-stderr "$SEND" < <(cat "$work/line"; exec sleep 60 3>&-)
    [ "$stderr" = "'$dir/disk.0.0' has 1005 bytes, and had 1000" ]
}

@test "when nobody waits any more, nothing stays there" {
    disk
    mkfifo "$work/stdin"
    "$SEND" <"$work/stdin" 2>"$work/err" 3>&- &
    exec 8>"$work/stdin"
    cut_after $((10 << 20)) "$until_told"
    request aaaaaa "$work/server" >&8
    eventually has_come 5
    exec 8>&-
    touch "$work/go"   # it sees the end before anything else can go on
    status=0
    wait $! || status=$?
    [ $status -eq 143 ]
    nothing_is_there
}

# on_full_server COMMANDS: where the server has room for 20 MB of the disk; they set `status`
on_full_server() {
    can_unshare || skip 'this user may not mount'
    disk
    run -1 --separate-stderr unshare -m --propagation private bash -c '
        commands=$2
        bats_require_minimum_version() { :; }
        source "$0"; source "$1"; shift 2; send_env
        cp "$BATS_FILE_TMPDIR/disk" "$dir/disk.0.0"
        mount -t tmpfs -o size=20m none "$base"
        status=0
        eval "$commands"
        [ ! -e "$base/12" ] || ls -A "$base/12"
        exit $status' "$ROOT/tests/helper.bash" "$BATS_TEST_DIRNAME/send.bash" "$1"
    [ -z "$(grep -v '"done"' <<<"$output")" ]
}
# shellcheck disable=SC2016  # the commands are for the other shell
@test "a server that is full says so, and nothing stays there" {
    on_full_server '
        request aaaaaa | jq -Rr "@base64d | fromjson | .host = \"localhost\" | @base64" >"$work/line"
        send_line || status=$?'
    [[ $stderr == *'No space left on device'* ]]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

# The helper answers, and ends, while more is sent than a window holds.
# shellcheck disable=SC2016
@test "a server that becomes full over there says so, and nothing stays there" {
    local transport
    for transport in libssh2 ssh; do   # a server each: what watches over the first one may stop it late
        TRANSPORT=$transport ARGS='-aS --timeout=60' on_full_server '
            eval "$("$FIXTURES/sshd" start "$work/sshd.$TRANSPORT" --owner $$)"
            send aaaaaa || status=$?
            "$FIXTURES/sshd" stop "$work/sshd.$TRANSPORT"'
        [[ $stderr == *'No space left on device'* ]]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
}

# shellcheck disable=SC2016
@test "a server of SFTP alone that becomes full is told as that, and nothing stays there" {
    on_full_server '
        eval "$("$FIXTURES/sshd" start "$work/sshd" --owner $$)"
        request aaaaaa | jq -Rr "@base64d | fromjson | .server.argv = [] | @base64" >"$work/line"
        send_line || status=$?
        "$FIXTURES/sshd" stop "$work/sshd"'
    [[ $stderr == "cannot write '$base/12/aaaaaa"*"/disk.0.0' on 'server': the server failed to, "*'; its file system is full' ]]
}

@test "a server of SFTP alone gets whole files" {
    disk
    request aaaaaa | jq -Rr '@base64d | fromjson | .server.argv = [] | @base64' >"$work/line"
    run -0 --separate-stderr send_line
    [ "${lines[-1]}" = '{"stored":"aaaaaa"}' ]
    [[ $stderr == *SFTP* ]]
    stored aaaaaa
    run -0 ls "$base/12/aaaaaa"
    [ "${lines[*]}" = 'disk.0.0 vm.xml' ]
}

@test "what is no server of ours is one clear line" {
    noise 1000000 >"$dir/disk.0.0"
    for answer in 'echo hello' 'head -c 1000 /dev/urandom' "printf 'J\377\377\377\377'" \
        "printf 'J\0\0\0\2{}'" "printf 'J\0\0\0\42{\"name\":7}'" 'exit 3' 'echo no such thing >&2; exit 127' 'true'; do
        run -1 --separate-stderr send aaaaaa sh -c "read -r line; $answer"
        [ "${#stderr_lines[@]}" -ge 1 ]
        [[ ${stderr_lines[0]} != WARN*trying* ]]
        nothing_is_there
    done
}
