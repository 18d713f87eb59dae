# SPDX-License-Identifier: Apache-2.0
# vmvault with a server for its backups: a full and two increments of a domain, and all that can be
# done with them.

load helper.bash

setup_file() {
    hypervisor_start
    export VMVAULT_DATASTORE=101
    cd "$BATS_FILE_TMPDIR"
    "$BUILD/drivers/cli/vmvault" datastore add rsync "localhost:$PWD/server"
    qemu-img create -q -f qcow2 a.qcow2 40M
    qemu-io -c 'write -P 1 0 3M' a.qcow2 >/dev/null
    paused_start far a.qcow2
    next 0
    disk_write far 0 'write -P 2 1M 64k'
    next 1
    disk_write far 0 'write -P 3 30M 64k'
    disk_write far 0 'discard 0 1M'
    next 2
    image=$(image_of far)
    export image
}

# next K: the reference of the K-th backup, and the backup
next() {
    reference "ref$1" a.qcow2
    "$BUILD/drivers/cli/vmvault" backup far
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }

restores() {   # restores K
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to.$1" --increment "$1"
    same_disk "ref$1/a.qcow2" "$BATS_TEST_TMPDIR/to.$1/disk.0.qcow2"
}

@test "each of them restores to the disk at that moment" {
    restores 0
    restores 1
    restores 2
    xmllint --noout "$BATS_TEST_TMPDIR/to.2/domain.xml"
}

@test "they lie there as plain directories" {
    [ "$(find server -mindepth 2 -maxdepth 2 -type d | grep -cE '/[0-9]+/[0-9a-f]{6}$')" -eq 3 ]
    [ "$(find server -name 'disk.0.?' | wc -l)" -eq 3 ]
    vmvault list --json | jq -e '.[0].increments == 3 or (.[0].increments | length) == 3'
}

@test "a copy of the state is restored from, and takes nothing away" {
    local before original=$VMVAULT_VAR
    before=$(find server -type f -print0 | sort -z | xargs -0 sha256sum)
    cp -a "$VMVAULT_VAR" "$BATS_TEST_TMPDIR/copy"
    local -x VMVAULT_VAR=$BATS_TEST_TMPDIR/copy
    run -1 --separate-stderr vmvault flatten "$image" --keep 1
    [[ $stderr == *"is a copy of '$original'"* ]]
    run -1 --separate-stderr vmvault delete "$image"
    [[ $stderr == *"is a copy of '$original'"* ]]
    restores 1
    vmvault verify "$image" --read-data
    [ "$before" = "$(find server -type f -print0 | sort -z | xargs -0 sha256sum)" ]
}

@test "a disk is downloaded, and served to look into" {
    vmvault download "$image" --to "$BATS_TEST_TMPDIR/disk"
    same_disk ref2/a.qcow2 "$BATS_TEST_TMPDIR/disk"
    [ -c /dev/fuse ] || skip 'no FUSE here'
    "$BUILD/drivers/cli/vmvault" mount "$image" "$BATS_TEST_TMPDIR/look" >"$BATS_TEST_TMPDIR/said" 3>&- &
    local pid=$!
    eventually grep -q raw "$BATS_TEST_TMPDIR/said"
    qemu-img compare -q -f qcow2 -F raw ref2/a.qcow2 "$BATS_TEST_TMPDIR/look/disk.0.raw"
    kill $pid
    wait $pid
}

@test "they are proven by the checksums of their capture" {
    run -0 --separate-stderr vmvault verify "$image" --read-data --json
    [ "$(jq -c '[.increments[].proven]' <<<"$output")" = '[true,true,true]' ]
}

@test "what a killed backup left there is collected, and nothing else" {
    local one orphan
    one=$(find server -mindepth 2 -maxdepth 2 -type d | head -1)
    orphan=${one%/*}/abcdef
    cp -r "$one" "$orphan"
    run -0 vmvault gc
    [[ $output == *'101: abcdef stays: it is of no backup that failed here' ]]
    failed_backup 0badcafe   # at the same time
    run -0 vmvault gc
    [[ $output == *'101: abcdef stays: it is of no backup that failed here' ]]
    failed_backup "$(jq -r .capture "$orphan/vmvault.json")"
    run -0 vmvault gc --dry-run
    [[ $output == *'101: abcdef to be removed' ]]
    [ -d "$orphan" ]
    run -0 vmvault gc
    [[ $output == *'101: abcdef removed' ]]
    [ ! -e "$orphan" ]
    [ "$(vmvault gc --json | jq -c .)" = '{"orphans":[],"problems":[]}' ]
    vmvault verify "$image"
}

@test "what was damaged is not restored, and told" {
    local file byte
    file=$(find server -name disk.0.0)
    cp "$file" kept
    byte=$(($(stat -c %s "$file") - 100))
    printf x | dd of="$file" bs=1 seek=$byte conv=notrunc status=none
    run -1 vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    run -1 vmvault verify "$image" --read-data
    cp kept "$file"
    [[ $output == *CORRUPT* ]]
    vmvault verify "$image" --read-data
}

@test "a document of the machine that was damaged, or is gone, is told" {
    local name last
    last=$(find server -name "$(vmvault show "$image" --json | jq -r '.increments[-1].source')")
    for name in vm.xml vmvault.json domain.xml; do
        cp "$last/$name" kept
        printf '\t' | dd of="$last/$name" bs=1 seek=20 conv=notrunc status=none
        run -1 vmvault verify "$image" --read-data
        [[ $output == *"its $name is damaged"* ]] || { echo "$output"; false; }
        [ "$name" = domain.xml ] || cp kept "$last/$name"
    done
    run -1 vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    [[ $output == *"domain.xml of image $image is not what was backed up"* ]]
    vmvault restore "$image" --disk 0 --to "$BATS_TEST_TMPDIR/to"
    rm "$last/domain.xml"
    run -1 vmvault verify "$image"
    [[ $output == *'has no domain.xml'* ]]
    cp kept "$last/domain.xml"
    vmvault verify "$image" --read-data
}

@test "they are flattened, go on, and are deleted" {
    vmvault flatten "$image" --keep 2
    restores 1
    restores 2
    run -0 vmvault verify "$image" --read-data --json
    [ "$(jq -c '.increments | map(.proven)' <<<"${output/#*$'\n{'/\{}")" = '[true,true]' ]
    local file
    file=$(find server -name disk.0.1)
    cp "$file" kept
    printf X | dd of="$file" bs=1 seek=500000 conv=notrunc status=none
    run -1 vmvault flatten "$image" --keep 1
    [[ $output == *"disk.0.1' is not what was backed up from offset 0 on"* ]]
    run -1 vmvault verify "$image" --read-data
    [[ $output == *'CORRUPT: disk 0'*'disk.0.1 are not what was backed up'* ]]
    # Where no checksums tell, what a restore cannot merge is no backup.
    mv "$(find server -name sums.0.1)" sums
    cp kept "$file"
    printf '\177' | dd of="$file" bs=1 seek=65537 conv=notrunc status=none   # in its L1 table
    run -1 vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    run -1 vmvault verify "$image" --read-data
    [[ $output == *'CORRUPT: disk 0: its disk cannot be merged: '*disk.0.1* ]]
    cp kept "$file"
    cp sums "$(dirname "$file")/sums.0.1"
    vmvault verify "$image" --read-data
    disk_write far 0 'write -P 4 5M 64k'
    next 3
    restores 3
    vmvault delete "$image"
    [ -z "$(find server -name 'disk.*')" ]
    run -0 vmvault status
    [[ $output == *101* ]]
}

@test "an older copy of the state: what was backed up since then is not collected" {
    local since
    failed_backup
    sql "UPDATE attempts SET started = 1, ended = 2 WHERE error <> ''"   # long ago
    cp "$VMVAULT_VAR/state.db" older.db
    vmvault backup far
    since=$(last "$(image_of far)" .source)
    rm -f "$VMVAULT_VAR"/state.db-*
    cp older.db "$VMVAULT_VAR/state.db"
    run -0 vmvault gc
    [[ $output == *"101: $since stays: it is of no backup that failed here"* ]]
    [ -n "$(find server -mindepth 2 -maxdepth 2 -name "$since")" ]
}
