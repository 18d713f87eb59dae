# SPDX-License-Identifier: Apache-2.0
# Disks as raw files for other programs: downloader --raw.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load downloader.bash

# is_served: the line of the file is there; not waited for when who serves it has ended
is_served() {
    if is_gone "$server"; then
        EVENTUALLY=0
        return 1
    fi
    grep -q raw "$AT.out"
}

@test "a chain is a raw file until SIGTERM, and nothing of it stays" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    three_increments
    download
    qemu-img convert -f qcow2 -O raw "$OUT" "$BATS_TEST_TMPDIR/reference"
    AT=$BATS_TEST_TMPDIR/at
    mkdir "$AT"
    "$BUILD/datastore/restic/downloader" --raw "$AT" "$URL" >"$AT.out" 2>"$AT.err" </dev/null 3>&- &
    server=$!
    eventually is_served || { cat "$AT.err"; return 1; }
    cmp "$AT/disk.0.raw" "$BATS_TEST_TMPDIR/reference"
    run -1 dd if=/dev/zero of="$AT/disk.0.raw" bs=512 count=1 conv=notrunc status=none
    kill "$server"
    wait "$server" || true
    [ -z "$(ls -A "$AT")" ]
    run -1 grep -F "$AT" /proc/self/mountinfo
}

@test "what the daemon said is told, not only its last word" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    three_increments
    mkdir "$BATS_TEST_TMPDIR/bin" "$BATS_TEST_TMPDIR/at"
    printf '#!/bin/sh\nprintf "the reason\\nthe end\\n" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/qemu-storage-daemon"
    chmod +x "$BATS_TEST_TMPDIR/bin/qemu-storage-daemon"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 --separate-stderr timeout 120 \
        "$BUILD/datastore/restic/downloader" --raw "$BATS_TEST_TMPDIR/at" "$URL" </dev/null
    [[ $stderr == *'qemu-storage-daemon ended with status 1: the reason; the end'* ]]
}

@test "an ordinary user has them too" {
    [ "$(id -u)" -eq 0 ] || skip 'the others have shown it: this is an ordinary user'
    unshare -m --propagation private true 2>/dev/null || skip 'no mount namespace can be made here'
    local fuse=$BATS_TEST_TMPDIR/fuse home
    { mknod -m 666 "$fuse" c 10 229 && : <"$fuse"; } 2>/dev/null || skip 'no device can be made here'
    home=$(mktemp -d)  # not below bats's own directory, which is for us alone
    chown 65534:65534 "$home"
    local nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin
        HOME="$home" TMPDIR="$home" BUILD="$BUILD")
    "${nobody[@]}" test -x "$BUILD/datastore/restic/downloader" -a -w "$home" || {
        rm -rf "$home"
        skip 'the tree is not for everybody to read'
    }
    # shellcheck disable=SC2016 # the inner shell has to expand it
    run unshare -m --propagation private bash -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$fuse" \
        "${nobody[@]}" bats --formatter tap -f 'until SIGTERM' "$BATS_TEST_FILENAME"
    rm -rf "$home"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ok' <<<"$output")" -eq 1 ]
    [[ $output != *'# skip'* ]]
}
