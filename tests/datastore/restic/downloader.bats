# SPDX-License-Identifier: Apache-2.0
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load downloader.bash

@test "the merged disk of each increment is what the disk was then" {
    three_increments
    download
    expect a B . C . D
    URL=restic://100//${CHAIN%,*}$FILES/disk.0.1
    download
    expect a B . . . d
    URL=restic://100//${CHAIN%%,*}$FILES/disk.0.0
    download
    expect a b c . . d
    cmp "$OUT" "$BATS_TEST_TMPDIR/disk.0.0"
}

@test "increments from several directories are one disk, and its documents are found" {
    increment 0 0=a 1=b
    VMDIR=$BATS_TEST_TMPDIR/other/12 FILES=$BATS_TEST_TMPDIR/other/12/backup
    mkdir -p "$FILES"
    echo '<domain>moved</domain>' >"$FILES/domain.xml"
    increment 1 1=B
    download
    expect a B
    run -0 "$BUILD/datastore/restic/downloader" --file domain.xml "$URL"
    [ "$output" = '<domain>moved</domain>' ]
    URL=${URL/other/somewhere}   # the directory in the URL is nobody's
    download
    expect a B
    run -0 --separate-stderr action datastore/restic/stat 31 \
        < <(request "<IMAGE><PATH>$URL</PATH></IMAGE>" "$(datastore)")
    [ "$output" = 4096 ]
}

# long_chain N: N increments; counts what restic is asked for in $CALLS
long_chain() {
    local n bin=$BATS_TEST_TMPDIR/bin
    for ((n = 0; n < $1; n++)); do
        sequential "$FILES/disk.0.$n" 40 "$n=a" 20="$([ "$n" = $(($1 - 1)) ] && echo z || echo y)"
        restic_here backup "$FILES/disk.0.$n"
        CHAIN+=${CHAIN:+,}$n:$(restic_here snapshots --json --no-lock | jq -r 'max_by(.time).short_id')
    done
    URL=restic://100//$CHAIN$FILES/disk.0.$(($1 - 1))
    mkdir "$bin"
    CALLS=$BATS_TEST_TMPDIR/calls
    printf '#!/bin/sh\necho " $* " >>%q\nexec %q "$@"\n' "$CALLS" "$(command -v restic)" >"$bin/restic"
    chmod +x "$bin/restic"
    PATH=$bin:$PATH
}
calls() { grep -c " $1 " "$CALLS" || true; }

# with_scratch: the datastore has a place for temporary files of its own
with_scratch() {
    EXTRA="<RESTIC_TMP_DIR>$BATS_TEST_TMPDIR/scratch</RESTIC_TMP_DIR>"
    mkdir "$BATS_TEST_TMPDIR/scratch"
    publish_datastore
}

@test "up to eight files are read side by side" {
    long_chain 8
    download
    [ "$(calls dump) $(calls mount)" = '8 0' ]
    expect a a a a a a a a . . . . . . . . . . . . z
}

@test "of a longer chain through one mount, of which nothing stays" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    long_chain 9
    with_scratch
    download
    [ "$(calls dump) $(calls mount)" = '0 1' ]
    expect a a a a a a a a a . . . . . . . . . . . z
    unused "$BATS_TEST_TMPDIR/scratch"
}

@test "where nothing can be mounted, a longer chain is merged from copies, and that is said" {
    [ "$(id -u)" -eq 0 ] || skip 'hiding /dev/fuse needs root'
    long_chain 9
    # shellcheck disable=SC2016
    unshare -m sh -c 'mount --bind /etc/hostname /dev/fuse && mount -o remount,bind,ro /dev/fuse && exec "$@"' sh \
        "$BUILD/datastore/restic/downloader" --stream "$URL" >"$OUT" 2>"$BATS_TEST_TMPDIR/err"
    [ "$(calls dump) $(calls mount)" = '9 0' ]
    grep -q '^INFO: .*merged from copies.*/dev/fuse' "$BATS_TEST_TMPDIR/err"
    expect a a a a a a a a a . . . . . . . . . . . z
}

@test "a longer chain, and its reader goes: nothing stays mounted or locked" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    long_chain 9
    with_scratch
    "$BUILD/datastore/restic/downloader" --stream "$URL" 2>"$BATS_TEST_TMPDIR/err" | head -c 10 >/dev/null || true
    eventually unused "$BATS_TEST_TMPDIR/scratch"
}
unused() { [ -z "$(find "$1" -mindepth 1; lock_files "$BASE/12")" ] && ! grep -qF "$1" /proc/self/mountinfo; }

@test "the state of a TPM is that of the last increment, as it is" {
    echo 'no image' >"$FILES/disk.tpm.0"
    sequential "$FILES/disk.0.0" 40 0=a
    write_vm_xml
    backup_ok
    URL=restic://100//0:$ID$FILES/disk.tpm.0
    download
    [ "$(cat "$OUT")" = 'no image' ]
}

@test "the order of the chain is the URL's, not that of the snapshots' times" {
    three_increments
    # The middle one is written again, and so is the newest by its time.
    cp "$BATS_TEST_TMPDIR/disk.0.1" "$FILES/disk.0.1"; rm "$FILES/disk.0.2"
    first=$CHAIN
    LAST=0 backup_ok
    URL=restic://100//${first%%,*},1:$ID,${first##*,}$FILES/disk.0.2
    download
    expect a B . C . D
}

@test "a snapshot of the chain that is gone is named, and nothing is written" {
    three_increments
    gone=${CHAIN#*,1:}; gone=${gone%%,*}
    restic_here forget "$gone"
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line "no snapshot $gone of the chain"
}

@test "a dump that ends early is an error, not a short disk" {
    # Noise, which restic cannot make smaller: then the largest pack is one of disk data.
    sequential "$FILES/disk.0.0" 40 0=a 1=b 39=c
    head -c 196608 /dev/urandom | dd of="$FILES/disk.0.0" bs=64k seek=5 conv=notrunc status=none
    keep 0
    increment 1 1=B
    # Damaged, not gone: restic looks for long for what is gone.
    local pack
    pack=$(find "$BASE/12/data" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
    chmod u+w "$pack"
    head -c 100 /dev/urandom | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 2)) conv=notrunc status=none
    run --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    [ "$status" -eq 1 ]
    [ "$(grep -vc '^INFO' <<<"$stderr")" -eq 1 ]
}

@test "the two lines for downloader.sh are a command that works in any shell, twice, without a secret" {
    three_increments
    run -0 --separate-stderr "$BUILD/datastore/restic/downloader" "$URL"
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[1]}" = 'clean_command=""' ]
    [[ $output != *"$PASSWORD"* ]]
    eval "$output"
    # shellcheck disable=SC2154  # comes from the eval
    env -i PATH="$PATH" VMVAULT_CORE_DIR="$VMVAULT_CORE_DIR" VMVAULT_VAR="$VMVAULT_VAR" bash -c "$command" | head -c 1000 >/dev/null
    env -i PATH="$PATH" VMVAULT_CORE_DIR="$VMVAULT_CORE_DIR" VMVAULT_VAR="$VMVAULT_VAR" bash -c "$command" >"$OUT"
    expect a B . C . D
}

@test "it answers under the name that the core calls" {
    increment 0 0=a
    run -0 --separate-stderr "$BUILD/datastore/restic_downloader.rb" "$URL"
    [[ ${lines[0]} == *"/datastore/restic/downloader' '--stream' '$URL'\"" ]]
}

@test "a URL that could break out of the shell's quotes is refused" {
    for hostile in "\$(touch x)" '`id`' "a'b" 'a"b' 'a\b' $'a\nb'; do
        run -2 --separate-stderr "$BUILD/datastore/restic/downloader" \
            "restic://100//0:aaaa0000/$hostile/12/backup/disk.0.0"
        one_line ''
    done
}

@test "documents of the last increment are given as they are" {
    echo '<domain>ü</domain>' >"$FILES/domain.xml"
    increment 0 0=a
    echo '<domain>2</domain>' >"$FILES/domain.xml"
    increment 1 0=b
    run -0 "$BUILD/datastore/restic/downloader" --file domain.xml "$URL"
    [ "$output" = '<domain>2</domain>' ]
    "$BUILD/datastore/restic/downloader" --file vm.xml "$URL" | cmp - "$FILES/vm.xml"
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --file vmvault.json "$URL"
    one_line 'vmvault.json'
    run -2 --separate-stderr "$BUILD/datastore/restic/downloader" --file ../../etc/passwd "$URL"
    one_line 'not the name of a file'
}

# random_chain: a full and an increment as qemu-img writes them, of random layout
@test "one file of random layout is passed on byte for byte" {
    random_chain
    URL=restic://100//${CHAIN%,*}$FILES/disk.0.0
    download
    cmp "$OUT" "$BATS_TEST_TMPDIR/disk.0.0"
}

@test "one file of random layout that names other files, or is none, never goes out" {
    random_chain
    URL=restic://100//1:${CHAIN##*:}$FILES/disk.0.1   # without what it is an increment of
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line 'has a backing file'
    CHAIN=''
    qemu-img create -q -f qcow2 -o "data_file=$BATS_TEST_TMPDIR/data.raw,data_file_raw=on" "$FILES/disk.0.0" 1M
    keep 0
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line 'has an external data file'
    CHAIN=''
    echo 'root:x' >"$FILES/disk.0.0"
    keep 0
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line 'is no qcow2 file'
}

@test "a file of a chain that is cut off is an error, and no zeros" {
    random_chain
    CHAIN=''
    truncate -s -128K "$BATS_TEST_TMPDIR/disk.0.0"
    mv "$BATS_TEST_TMPDIR/disk.0.0" "$FILES/"
    keep 0
    cp "$BATS_TEST_TMPDIR/disk.0.1" "$FILES/"
    keep 1
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line "'disk.0.0' of the backup is damaged"
}

@test "a chain of random layout is merged in a scratch directory, which is gone afterwards" {
    random_chain
    mv "$BATS_TEST_TMPDIR/disk.0.0" "$BATS_TEST_TMPDIR/away"
    download
    expect . b . . . .
    qemu-io -f qcow2 -c 'read -P 0x63 2M 64k' "$OUT" | grep -q 'read 65536/65536'
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
}

@test "a scratch directory without the space is refused before anything is copied" {
    random_chain
    [ "$(id -u)" -eq 0 ] || skip 'mounting a small tmpfs needs root'
    mount -t tmpfs -o size=100k none "$BATS_TEST_TMPDIR/tmp" 2>/dev/null || skip 'no mount here'
    run --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    left=$(ls -A "$BATS_TEST_TMPDIR/tmp")
    umount "$BATS_TEST_TMPDIR/tmp"
    [ "$status" -eq 1 ]
    one_line 'set RESTIC_TMP_DIR'
    [ -z "$left" ]
}

@test "a file that names an external data file opens nothing" {
    echo 'root:secret' >"$BATS_TEST_TMPDIR/secret.raw"; truncate -s 1M "$BATS_TEST_TMPDIR/secret.raw"
    qemu-img create -q -f qcow2 -o "data_file=$BATS_TEST_TMPDIR/data.raw,data_file_raw=on" "$FILES/disk.0.0" 1M
    keep 0
    qemu-img create -q -f qcow2 "$FILES/disk.0.1" 1M
    rm "$FILES/disk.0.0"
    keep 1
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line 'external data file'
}

@test "a snapshot that holds a link where a disk should be leads to no file of this machine" {
    sequential "$BATS_TEST_TMPDIR/of_another" 40 0=s
    ln -s "$BATS_TEST_TMPDIR/of_another" "$FILES/disk.0.0"
    restic_here backup "$FILES/disk.0.0"
    URL=restic://100//0:$(snapshots)$FILES/disk.0.0
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" --stream "$URL"
    one_line 'symlink'
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    mkdir "$BATS_TEST_TMPDIR/raw"
    run -1 --separate-stderr timeout 120 "$BUILD/datastore/restic/downloader" --raw "$BATS_TEST_TMPDIR/raw" "$URL"
    one_line 'is no plain file'
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/raw")" ]
}

@test "the progress of a restore is written where VMVAULT_PROGRESS says" {
    three_increments
    VMVAULT_PROGRESS=$BATS_TEST_TMPDIR/progress download
    run -0 jq -e '.step == "restore" and .done == .total and .total > 65536' "$BATS_TEST_TMPDIR/progress"
}

@test "whoever reads may stop reading, and whoever asked may cancel: nothing keeps running" {
    increment 0 0=a
    # Of random layout: a header, and then noise.
    rm "$FILES/disk.0.0"
    qemu-img create -q -f qcow2 "$FILES/disk.0.0" 1M
    head -c 60000000 /dev/urandom >>"$FILES/disk.0.0"
    CHAIN=''; keep 0
    "$BUILD/datastore/restic/downloader" --stream "$URL" 2>"$BATS_TEST_TMPDIR/err" 3>&- | head -c 100 >/dev/null
    EXTRA='<RESTIC_BWLIMIT>1000</RESTIC_BWLIMIT>'
    publish_datastore
    "$BUILD/datastore/restic/downloader" --stream "$URL" >"$OUT" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$!
    eventually test -s "$OUT"
    kill $pid
    status=0; wait $pid || status=$?
    [ $status -eq 143 ]
    eventually is_unlocked
}
is_unlocked() { [ -z "$(lock_files "$BASE/12")" ]; }

@test "other URLs, forms and datastores are errors of one line" {
    run -2 --separate-stderr "$BUILD/datastore/restic/downloader"
    one_line '--stream URL'
    run -2 --separate-stderr "$BUILD/datastore/restic/downloader" 'rsync://100//0:aaaa0000/x/12/backup/disk.0.0'
    one_line 'not a URL of restic'
    run -1 --separate-stderr "$BUILD/datastore/restic/downloader" 'restic://7//0:aaaa0000/x/12/backup/disk.0.0'
    one_line 'datastore 7'
}

@test "where the path names no VM, the repository with the snapshot is found" {
    VMDIR=$BATS_TEST_TMPDIR/system/23401b18 FILES=$VMDIR/backup
    mkdir -p "$FILES"
    increment 0 0=a
    download
    expect a
}
