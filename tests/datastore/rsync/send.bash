# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Backups that are sent, as datastore/host/run would start it.

SEND=$BUILD/datastore/rsync/send
SERVER=$BUILD/datastore/rsync/server

# send_setup: a backup dir, a base, and "server", which is a private sshd
send_setup() {
    local line
    line=$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" --owner $$)
    echo "$line" >"$BATS_FILE_TMPDIR/env"
}

# For setup.
send_env() {
    eval "$(cat "$BATS_FILE_TMPDIR/env")"
    work=$BATS_TEST_TMPDIR
    dir=$work/backup base=$work/base
    export VMVAULT_VAR=$work/var
    mkdir -p "$dir" "$base"
    echo '<VM/>' >"$dir/vm.xml"
}

# noise BYTES: that nothing can compress, always others
noise() { openssl enc -aes-128-ctr -pass "pass:$RANDOM$RANDOM$1" -pbkdf2 -iter 1 </dev/zero 2>/dev/null | head -c "$1"; }
# change FILE OFFSET BYTES
change() { noise "$3" | dd of="$1" bs=64k seek="$2" oflag=seek_bytes conv=notrunc status=none; }

# request NAME [WORDS...]: the line; by these words the server is started
request() {
    local name=$1
    shift
    [ $# -gt 0 ] || set -- "$SERVER"
    (cd "$dir" && stat -c '%n %s' -- *) |
        jq -cRn --arg dir "$dir" --arg base "$base" --arg name "$name" --arg args "${ARGS--aS}" \
            --arg transport "${TRANSPORT-ssh}" --argjson channels "${CHANNELS-4}" '{
            directory: $dir, base: $base, name: $name, vm: 12, host: "server", user: "", args: $args,
            transport: $transport, channels: $channels, server: {argv: $ARGS.positional},
            files: [inputs | split(" ") | {name: .[0], size: (.[1] | tonumber)}]}' --args "$@" | base64 -w0
    echo
}

# send NAME [WORDS...]
send() {
    request "$@" >"$work/line"
    send_line
}

# send_line: what is in "line"; its stdin stays open
send_line() {
    local status=0 hold
    mkfifo "$work/hold.$$"
    exec {hold}<>"$work/hold.$$"
    cat "$work/line" >&"$hold"
    "$SEND" <"$work/hold.$$" {hold}>&- || status=$?
    exec {hold}>&-
    rm "$work/hold.$$"
    return $status
}

# stored NAME: is it there, as the backup dir is?
stored() {
    local file
    for file in "$dir"/*; do cmp "$file" "$base/12/$1/${file##*/}" || return; done
}

# tenths_of_mib TEXT PATTERN: the number before the pattern in what was said
mib() { grep -oP "[0-9.]+(?= MiB $1)" | tail -n 1; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' || { echo "$1 is not less than $2" >&2; return 1; }; }
nothing_is_there() { run -0 find "$base" -mindepth 2; [ -z "$output" ] || { echo "$output" >&2; return 1; }; }
