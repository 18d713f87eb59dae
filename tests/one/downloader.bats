#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our helper as the core's downloader.sh calls it.

load ../helper
source "$ROOT/tests/datastore/restic/restic.bash"

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONE_XMLRPC ONE_AUTH REMOTES=$BUILD
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    store_setup
    unset VMVAULT_CORE_DIR
    with_repository
    # Not compressible, so that nothing of it is in a pipe's buffer.
    local n
    for n in 0 1; do
        qemu-img create -q -f qcow2 "$FILES/disk.0.$n" 16M
        head -c 4M /dev/urandom >"$BATS_FILE_TMPDIR/random"
        qemu-io -f qcow2 -c "write -q -s $BATS_FILE_TMPDIR/random $((n * 2))M 4M" "$FILES/disk.0.$n"
        cp "$FILES/disk.0.$n" "$BATS_FILE_TMPDIR/layer.$n"
        vm | base64 >"$FILES/vm.xml"
        LAST=$((n - 1)) backup_ok
        echo "$n:$ID" >>"$BATS_FILE_TMPDIR/chain"
        rm "$FILES"/disk.*
    done
    qemu-img rebase -u -f qcow2 -F qcow2 -b "$BATS_FILE_TMPDIR/layer.0" "$BATS_FILE_TMPDIR/layer.1"
    datastore >"$BATS_FILE_TMPDIR/oned/datastores/100.xml"
}
teardown_file() { "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"; }

setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    PASSWORD=s3same BASE=$BATS_FILE_TMPDIR/base
    mapfile -t CHAIN <"$BATS_FILE_TMPDIR/chain"
    FILES=$BATS_FILE_TMPDIR/system/12/backup
    FULL=restic://100//${CHAIN[0]}$FILES/disk.0.0
    LATER=restic://100//${CHAIN[0]},${CHAIN[1]}$FILES/disk.0.1
}

downloader() { "$FIXTURES/downloader.sh" "$@"; }
# quiet: nobody works for us any more, and nobody holds the repository
quiet() {
    { pgrep -af "$BATS_FILE_TMPDIR/base"; locks; } >"$BATS_TEST_TMPDIR/still" || true
    [ ! -s "$BATS_TEST_TMPDIR/still" ]
}
teardown() {
    [ -s "$BATS_TEST_TMPDIR/still" ] || return 0
    cat "$BATS_TEST_TMPDIR/still"
    for lock in $(locks); do restic_here cat lock "$lock" --no-lock; done
}

@test "a full backup and a chain, begun twice: the first is broken off" {
    downloader "$FULL" "$BATS_TEST_TMPDIR/full"
    same_disk "$BATS_TEST_TMPDIR/full" "$BATS_FILE_TMPDIR/layer.0"
    downloader "$LATER" "$BATS_TEST_TMPDIR/later"
    qemu-img check -q "$BATS_TEST_TMPDIR/later"
    same_disk "$BATS_TEST_TMPDIR/later" "$BATS_FILE_TMPDIR/layer.1"
    [ "$(qemu-img info --output=json "$BATS_TEST_TMPDIR/later" | jq '."backing-filename"')" = null ]
    eventually quiet
}

@test "to stdout, as it is" {
    downloader --nodecomp "$LATER" - >"$BATS_TEST_TMPDIR/later"
    same_disk "$BATS_TEST_TMPDIR/later" "$BATS_FILE_TMPDIR/layer.1"
}

@test "only the beginning: nothing goes on afterwards" {
    downloader --max-size 65536 "$LATER" - >"$BATS_TEST_TMPDIR/begin"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/begin")" -eq 65536 ]
    [ "$(head -c 3 "$BATS_TEST_TMPDIR/begin")" = QFI ]
    eventually quiet
}

@test "killed in the middle: nothing goes on, and nothing is left" {
    mkdir "$BATS_TEST_TMPDIR/tmp"
    mkfifo "$BATS_TEST_TMPDIR/to"
    TMPDIR=$BATS_TEST_TMPDIR/tmp setsid "$FIXTURES/downloader.sh" --nodecomp "$LATER" - >"$BATS_TEST_TMPDIR/to" 3>&- &
    local pid=$!
    exec {end}<"$BATS_TEST_TMPDIR/to"
    head -c 65536 <&"$end" >/dev/null
    kill -KILL -- -$pid
    exec {end}<&-
    wait $pid || true
    eventually quiet
    [ -z "$(ls "$BATS_TEST_TMPDIR/tmp")" ]
}

@test "what cannot be had is a failure, of the helper or of its command" {
    run -255 --separate-stderr downloader "restic://100//0:deadbeef$FILES/disk.0.0" "$BATS_TEST_TMPDIR/to"
    [[ $stderr == *'deadbeef'*'Error copying' ]]
    run -255 --separate-stderr downloader "restic://101//${CHAIN[0]}$FILES/disk.0.0" "$BATS_TEST_TMPDIR/to"
    [[ $stderr == *'datastore 101'*'Error copying' ]]
    run -255 --separate-stderr downloader "restic://100/it's" "$BATS_TEST_TMPDIR/to"
}

@test "the lines hold no secret, and mean the same each time" {
    run -0 --separate-stderr "$BUILD/datastore/restic_downloader.rb" "$LATER"
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == 'command="'*'"' && ${lines[1]} == 'clean_command=""' ]]
    [[ $output != *"$PASSWORD"* ]]
    local command
    eval "${lines[0]}"
    # shellcheck disable=SC2154
    eval "$command" | cmp - <(eval "$command")
}
