# SPDX-License-Identifier: Apache-2.0
# Snapshots that OpenNebula's own driver has written, here by restic alone: disks of the layout that
# qemu-img makes, each path by itself, and no tag but that of the VM.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    with_repository
    publish_datastore
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/disk" 2M
}

# disk COMMAND: what the guest does to its disk
disk() { qemu-io -f qcow2 -c "$1" "$BATS_TEST_TMPDIR/disk" >/dev/null; }

# stock_stores N: the whole disk for 0, else what has changed since the last one; adds to CHAIN
stock_stores() {
    local file=$FILES/disk.0.$1 options=()
    rm -f "$FILES"/*
    if [ "$1" -eq 0 ]; then
        qemu-img convert -m 4 -O qcow2 "$BATS_TEST_TMPDIR/disk" "$file"
    else
        # Explicit zeros and data, like `qemu-img convert` from an export with a dirty bitmap.
        qemu-img create -q -f qcow2 "$file" 2M
        qemu-io -f qcow2 "${@:3}" "$file" >/dev/null
    fi
    vm | base64 -w 60 >"$FILES/vm.xml"
    restic_here backup --force --tag=one-12 --time "$2" "$file" "$FILES/vm.xml"
    keep "$1" "$(restic_here snapshots --json --no-lock | jq -r --arg file "$file" '.[] | select(.paths | index($file)).short_id')"
}

keep() {   # keep N ID: what the disk is now is what this increment has to be
    CHAIN+=("$1:$2")
    qemu-img convert -f qcow2 -O raw "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_TMPDIR/expected.$1"
}

two_of_stock() {
    disk 'write -P 1 0 1M'
    stock_stores 0 '2026-11-20 11:00:00'
    disk 'write -P 2 512k 128k'; disk 'write -z 64k 64k'
    # Its clock was wrong: time says nothing about the order of a chain.
    stock_stores 1 '2026-11-20 10:00:00' -c 'write -P 2 512k 128k' -c 'write -z 64k 64k'
}

# we_store N: an increment as our capture writes it
we_store() {
    rm -f "$FILES"/*
    sequential "$FILES/disk.0.$1" 32 1=w 20=x
    disk 'write -P 0x77 64k 64k'; disk 'write -P 0x78 1280k 64k'
    write_vm_xml
    LAST=$(($1 - 1)) backup_ok
    keep "$1" "$ID"
}

listed() { "$BUILD/datastore/restic/ls" "$@" < <(request "$(datastore)" "$(image "${CHAIN[@]}")"); }

restores() {   # restores N
    local url
    url=$(listed -i "$1" | jq -r '."0"')
    "$BUILD/datastore/restic/downloader" --stream "$url" >"$BATS_TEST_TMPDIR/out.qcow2"
    qemu-img check -q -f qcow2 "$BATS_TEST_TMPDIR/out.qcow2"
    qemu-img convert -f qcow2 -O raw "$BATS_TEST_TMPDIR/out.qcow2" "$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/expected.$1"
}

@test "each increment is listed, has its size, and is restored" {
    two_of_stock
    restores 0
    restores 1
    run -0 action datastore/restic/stat 31 \
        < <(request "<IMAGE><PATH>$(listed | jq -r '."0"')</PATH></IMAGE>" "$(datastore)")
    [ "$output" = 4096 ]
    # Despite its name it is base64, in lines of 60.
    "$BUILD/datastore/restic/downloader" --file vm.xml "$(listed | jq -r '."0"')" | base64 -d | cmp - <(vm)
}

@test "we go on with its chain, and remove all of it" {
    two_of_stock
    we_store 2
    for n in 0 1 2; do restores $n; done
    run -0 --separate-stderr image_action rm "$(image "${CHAIN[@]}")" 57
    [ -z "$(snapshots)" ]
}

@test "its chain is flattened, with or without increments of ours" {
    [ -x "$BUILD/datastore/restic/increment_flatten" ] || skip 'there is no increment_flatten yet'
    two_of_stock
    we_store 2
    local keep
    for keep in 2 1; do
        run -0 --separate-stderr action datastore/restic/increment_flatten 57 < <(request \
            "$(image "${CHAIN[@]}")" "$(datastore)" "<EXTRA_DATA><KEEP_LAST>$keep</KEEP_LAST></EXTRA_DATA>")
        IFS=, read -ra CHAIN <<<"${output#* }"
        [ ${#CHAIN[@]} -eq $keep ]
        restores 2
    done
    [ "$(snapshots)" = "${CHAIN[0]#*:}" ]
}
