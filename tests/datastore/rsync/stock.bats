# SPDX-License-Identifier: Apache-2.0
# Directories that OpenNebula's own driver has written, and ours for those who only have qemu-img.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load rsync.bash

setup_file() { rsync_server_start; }
teardown_file() { rsync_server_stop; }

setup() {
    store_setup
    publish_datastore
    CHAIN=()
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/disk" 2M
    two_of_stock
}

# disk COMMAND: what the guest does to its disk
disk() { qemu-io -f qcow2 -c "$1" "$BATS_TEST_TMPDIR/disk" >/dev/null; }

# stock_stores N NAME COMMAND...: the whole disk for 0, else what has changed since the last one
stock_stores() {
    local dir=$BASE/12/$2
    mkdir -p "$dir"
    if [ "$1" -eq 0 ]; then
        qemu-img convert -m 4 -O qcow2 "$BATS_TEST_TMPDIR/disk" "$dir/disk.0.0"
    else
        qemu-img create -q -f qcow2 "$dir/disk.0.$1" 2M
        qemu-io -f qcow2 "${@:3}" "$dir/disk.0.$1" >/dev/null
    fi
    vm | base64 -w 60 >"$dir/vm.xml"
    keep "$1" "$2"
}

keep() {   # keep N NAME: what the disk is now is what this increment has to be
    CHAIN+=("$1:$2")
    qemu-img convert -f qcow2 -O raw "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_TMPDIR/expected.$1"
}

two_of_stock() {
    disk 'write -P 1 0 1M'
    stock_stores 0 aa0000
    disk 'write -P 2 0 64k'
    disk 'write -z 128k 64k'
    stock_stores 1 bb1111 -c 'write -P 2 0 64k' -c 'write -z 128k 64k'
}

ours_stores() {   # ours_stores N: an increment of this suite, on top
    disk "write -P 3 1M 64k"
    rm -f "$FILES"/*
    sequential "$FILES/disk.0.$1" 32 16=$'\3'
    write_vm_xml
    LAST=$(($1 - 1)) backup_ok node1
    keep "$1" "$ID"
}

urls() { "$BUILD/datastore/rsync/ls" "$@" < <(request "$(datastore)" "$(image "${CHAIN[@]}")"); }

restores() {   # restores N
    "$BUILD/datastore/rsync/downloader" --stream "$(urls -i "$1" | jq -r '."0"')" >"$BATS_TEST_TMPDIR/got"
    qemu-img convert -f qcow2 -O raw "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/got.raw"
    cmp "$BATS_TEST_TMPDIR/got.raw" "$BATS_TEST_TMPDIR/expected.$1"
}

flatten() {
    action datastore/rsync/increment_flatten 57 \
        < <(request "$(image "${CHAIN[@]}")" "$(datastore)" "<EXTRA_DATA><KEEP_LAST>$1</KEEP_LAST></EXTRA_DATA>")
}

@test "they are listed, measured and restored, and not changed" {
    local before
    before=$(cd "$BASE" && find . -type f -exec sha256sum {} + | sort)
    restores 0
    restores 1
    run -0 --separate-stderr action datastore/rsync/stat 31 \
        < <(request "<IMAGE><PATH>$(urls | jq -r '."0"')</PATH><SIZE></SIZE></IMAGE>" "$(datastore)")
    [ "$output" = 4096 ]
    [ "$(cd "$BASE" && find . -type f -exec sha256sum {} + | sort)" = "$before" ]
}

@test "they are read, and what is not there is told" {
    run -0 --separate-stderr image_action verify "$(image "${CHAIN[@]}")" data -1
    [ "$(jq -c '[.increments[] | .problem, .disks[].problem, .disks[].sums]' <<<"$output")" = '["","",false,"","",false]' ]
    rm "$BASE/12/bb1111/disk.0.1"
    run -0 --separate-stderr image_action verify "$(image "${CHAIN[@]}")" structure -1
    [[ $(jq -r '.increments[1].problem' <<<"$output") == *'no file of disk 0'* ]]
}

@test "they are continued, by an increment that qemu-img alone can read" {
    ours_stores 2
    restores 1
    restores 2
    # As contract 4.8 says; on copies, since it is not ours to change them.
    cp -r "$BASE/12" "$BATS_TEST_TMPDIR/copy"
    cd "$BATS_TEST_TMPDIR/copy"
    qemu-img rebase -u -F qcow2 -b "$PWD/aa0000/disk.0.0" bb1111/disk.0.1
    qemu-img rebase -u -F qcow2 -b "$PWD/bb1111/disk.0.1" "$ID/disk.0.2"
    qemu-img convert -f qcow2 -O raw "$ID/disk.0.2" "$BATS_TEST_TMPDIR/plain"
    cmp "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/expected.2"
    # Stock's vm.xml is base64, and so is ours.
    base64 -d "$ID/vm.xml" | grep -q '<ID>12</ID>'
}

@test "they are flattened, with ours on top" {
    ours_stores 2
    run -0 --separate-stderr flatten 2
    [[ $output =~ ^[12]\ 1:bb1111,2:$ID$ ]]
    [ "$(backups_of 12 | sort | tr '\n' ' ')" = "$(printf '%s\n' bb1111 "$ID" | sort | tr '\n' ' ')" ]
    CHAIN=("${CHAIN[@]:1}")
    restores 1
    restores 2
    run -0 --separate-stderr flatten 1
    CHAIN=("${CHAIN[@]:1}")
    restores 2
    [ -z "$(leftovers 12)" ]
}

@test "a flatten whose answer was lost: readers go on, and the same request has the same answer" {
    run -0 --separate-stderr flatten 1
    local said=$output
    [ "$(backups_of 12)" = bb1111 ]
    restores 1
    run -0 --separate-stderr image_action verify "$(image "${CHAIN[@]}")" data -1
    [ "$(jq -c '[.increments[] | .problem, .disks[].problem]' <<<"$output")" = '["",""]' ]
    run -0 --separate-stderr flatten 1
    [ "$output" = "$said" ]
    [ "$(backups_of 12)" = bb1111 ]
}

@test "the state of a TPM is no disk of a flatten" {
    echo old >"$BASE/12/aa0000/disk.tpm.0"
    echo new >"$BASE/12/bb1111/disk.tpm.0"
    run -0 --separate-stderr flatten 1
    CHAIN=("${CHAIN[@]:1}")
    [ "$(cat "$BASE/12/bb1111/disk.tpm.0")" = new ]
    restores 1
}

@test "they are removed" {
    run -0 --separate-stderr image_action rm "$(image "${CHAIN[@]}")" 57
    [ -z "$(backups_of 12)" ]
}
