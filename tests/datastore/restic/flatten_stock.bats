# SPDX-License-Identifier: Apache-2.0
# increment_flatten of chains that OpenNebula's own driver wrote, and what that can do with ours.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load flatten.bash

setup_file() { chain_setup 3; }

setup() { chain_copy; }

# Of random layout, as qemu-img writes them, with the name of the parent's file in them.  The
# checksums hold for these files only.
increment() {
    local disk
    for disk in 0 2; do
        if [ "$1" -eq 0 ]; then
            qemu-img create -q -f qcow2 "$FILES/disk.$disk.0" 5M
            qemu-io -f qcow2 -c 'write -P 0x63 3M 128k' -c 'write -P 0x61 0 192k' "$FILES/disk.$disk.0" >/dev/null
        else
            qemu-img create -q -f qcow2 -F qcow2 -b "$BATS_FILE_TMPDIR/copies/disk.$disk.$(($1 - 1))" "$FILES/disk.$disk.$1"
            qemu-io -f qcow2 -c "write -P 0x6$1 $1M 64k" -c "write -P 0x7$1 64k 3k" -c 'write -z 3M 64k' "$FILES/disk.$disk.$1" >/dev/null
        fi
        echo sums >"$FILES/sums.$disk.$1"
    done
}

# store: restic alone, as that driver calls it
store() {
    restic_here backup --force --tag=one-12 "$FILES"/*
    ID=$(restic_here snapshots --json --no-lock | jq -r 'max_by(.time).short_id')
}

# as_stock CHAIN DIR: all of it read as contract 3.11 and 4.8 say that stock does
as_stock() {
    local entry id path disk before
    mkdir -p "$2"
    for entry in ${1//,/ }; do
        id=${entry#*:}
        for path in $(stored_in "$id" '.paths[]'); do
            [[ $path != */disk.[0-9]* ]] || restic_here dump "$id" "$path" >"$2/${path##*/}"
        done
    done
    for disk in 0 2; do
        before=''
        for entry in ${1//,/ }; do
            [ -z "$before" ] || qemu-img rebase -u -F qcow2 -b "$before" "$2/disk.$disk.${entry%%:*}"
            before=$2/disk.$disk.${entry%%:*}
        done
        qemu-img convert -O raw "$before" "$2/raw.$disk"
        cmp "$2/raw.$disk" "$BATS_FILE_TMPDIR/was.$disk.${entry%%:*}"
    done
}

@test "a chain of random layout is flattened, and is of sequential layout from then on" {
    flatten_ok 2
    [ "$CHAIN" = "1:$FLAT,2:${S[2]}" ]
    nothing_left
    [ "$(stored_in "$FLAT" '.paths | map(split("/")[-1]) | join(" ")')" = 'disk.0.1 disk.2.1 vm.xml' ]
    restores "$CHAIN"
    rmdir "$SCRATCH"   # nobody needs it any more
    restores "1:$FLAT"
}

@test "what is flattened can be read, and flattened again, as OpenNebula's own driver does" {
    flatten_ok 2
    as_stock "$CHAIN" "$BATS_TEST_TMPDIR/stock"
    # The new one is the older one, by its time.
    [ "$(snapshots)" = "$FLAT
${S[2]}" ]
    # Flattening as stock does (contract 3.8.11): dump, rebase, commit, move, backup.
    mkdir -p "$STORED"
    for disk in 0 2; do
        restic_here dump "$FLAT" "$STORED/disk.$disk.1" >"$STORED/disk.$disk.1"
        restic_here dump "${S[2]}" "$STORED/disk.$disk.2" >"$STORED/disk.$disk.2"
        qemu-img rebase -u -F qcow2 -b "$STORED/disk.$disk.1" "$STORED/disk.$disk.2"
        qemu-img commit -q -f qcow2 -b "$STORED/disk.$disk.1" "$STORED/disk.$disk.2"
        mv "$STORED/disk.$disk.1" "$STORED/disk.$disk.2"
    done
    restic_here dump "${S[2]}" "$STORED/vm.xml" >"$STORED/vm.xml"
    restic_here backup --force --tag=one-12 "$STORED"/disk.* "$STORED/vm.xml"
    theirs=$(restic_here snapshots --json --no-lock | jq -r 'max_by(.time).short_id')
    restic_here forget "$FLAT" "${S[2]}"
    rm -r "${STORED%/backup}"
    restores "2:$theirs"
}

@test "an increment of ours upon a chain of theirs" {
    FILES=$STORED VMDIR=${STORED%/backup}
    mkdir -p "$FILES"
    sequential "$FILES/disk.0.3" 80 0=x 48=zero; sequential "$FILES/disk.2.3" 80 1=y
    cp "$FILES"/disk.* "$BATS_TEST_TMPDIR/"
    write_vm_xml
    LAST=2 DISKS=0:2 backup_ok
    rm -r "$VMDIR"
    # shellcheck disable=SC2046
    flatten_ok 1 "$(image $(entries) "3:$ID")"
    for disk in 0 2; do
        qemu-img rebase -u -f qcow2 -F qcow2 -b "$BATS_FILE_TMPDIR/copies/disk.$disk.2" "$BATS_TEST_TMPDIR/disk.$disk.3"
        "$BUILD/datastore/restic/downloader" --stream "restic://100//3:$FLAT$STORED/disk.$disk.3" >"$BATS_TEST_TMPDIR/out"
        qemu-img compare -q "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/disk.$disk.3"
    done
}

@test "without the room for the copies it is refused before the first byte" {
    [ "$(id -u)" -eq 0 ] || skip 'mounting a small tmpfs needs root'
    mount -t tmpfs -o size=300k none "$SCRATCH" 2>/dev/null || skip 'no mount here'
    before=$(snapshots)
    run --separate-stderr flatten 2
    left=$(ls -A "$SCRATCH")
    umount "$SCRATCH"
    [ "$status" -eq 1 ]
    one_line 'set RESTIC_TMP_DIR'
    [ -z "$left" ]
    [ "$(snapshots)" = "$before" ]
}

@test "where nothing can be mounted the files are written first, to a path that tells the VM" {
    can_unshare || skip 'no mount namespaces here'
    VIA=without_fuse flatten_ok 2
    [[ $stderr == *'INFO: increment_flatten: the merged disks are written to files first'* ]]
    path=$(stored_in "$FLAT" .paths[0])
    [[ $path == "$SCRATCH"/vmvault-*/12/backup/disk.0.1 ]]
    nothing_left
    restores "$CHAIN" "${path%/*}"
    as_stock "$CHAIN" "$BATS_TEST_TMPDIR/stock"
}
