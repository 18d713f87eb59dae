# SPDX-License-Identifier: Apache-2.0
# Whatever happened to a backup since it was taken is told, and where.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

# A full of 130 clusters (two pieces of 4 MiB and a bit) and two increments, with their checksums.
setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR store_setup
    with_repository
    local n
    # shellcheck disable=SC2046
    store 0 $(printf '%s=a ' {0..129})
    store 1 3=A 100=B 129=zero
    store 2 3=C
}

# store N [CONTENTS...]: what a capture leaves, backed up
store() {
    rm -f "$FILES"/disk.* "$FILES"/sums.*
    sequential "$FILES/disk.0.$1" 140 "${@:2}"
    # Noise, which restic cannot make smaller: then the largest pack is one of data.
    [ "$1" != 0 ] || head -c 8519680 /dev/urandom | dd of="$FILES/disk.0.0" bs=64k seek=5 conv=notrunc status=none
    "$FIXTURES/sums" "$FILES/disk.0.$1" >"$FILES/sums.0.$1"
    jq -n --argjson n "$1" --argjson size "$(stat -c %s "$FILES/disk.0.$1")" '{version: 1, vm: 12,
        increment: $n, parent: ($n - 1), disks: [{id: 0, target: "vda", file: "disk.0.\($n)",
        kind: "any", file_size: $size}]}' >"$FILES/vmvault.json"
    write_vm_xml
    LAST=$(($1 - 1)) backup_ok
    echo "$ID" >>"$BATS_FILE_TMPDIR/ids"
    mkdir -p "$BATS_FILE_TMPDIR/known"
    cp "$FILES"/sums.* "$BATS_FILE_TMPDIR/known"
}

setup() {
    store_setup
    cp -r "$BATS_FILE_TMPDIR/base" "$BASE"
    FILES=$BATS_FILE_TMPDIR/system/12/backup   # the directory as the snapshots know it
    mapfile -t S <"$BATS_FILE_TMPDIR/ids"
    chain_is "${S[@]}"
}

chain_is() {
    local n=0 one all=()
    for one; do all+=("$((n++)):$one"); done
    IMAGE=$(image "${all[@]}")
}

# verify DEPTH [INCREMENT [DIRECTORY]]: the report is in $output
verify() { run -0 --separate-stderr image_action verify "$IMAGE" "$1" "${2--1}" "${@:3}"; }
report() { jq -r "$1" <<<"$output"; }
problems() { report '[.increments[] | .problem, .disks[].problem] | map(select(. != "")) | length'; }

# again N FILE...: snapshot N once more, by restic alone, with these files in the place of its own
again() {
    local n=$1 place=$BATS_TEST_TMPDIR/place file
    shift
    mkdir -p "$place$FILES"
    (cd / && restic_here restore "${S[n]}" --target "$place")
    for file; do cp "$file" "$place$FILES"; done
    S[n]=$(unshare -m bash -c "mount --bind '$place$FILES' '$FILES' && RESTIC_PASSWORD=$PASSWORD \
        restic --no-cache --json -r '$BASE/12' backup --force '$FILES'/*" | jq -r 'select(.snapshot_id).snapshot_id[0:8]')
    chain_is "${S[@]}"
}

# flip FILE OFFSET: one byte of it is another
flip() {
    python3 - "$@" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2])); byte = file.read(1)[0]
    file.seek(int(sys.argv[2])); file.write(bytes([byte ^ 1]))
PY
}

# original N: the disk file of increment N, in the test's directory
original() { restic_here dump "${S[$1]}" "$FILES/disk.0.$1" >"$BATS_TEST_TMPDIR/disk.0.$1"; }

@test "a whole backup is proven by its data, and complete without" {
    verify structure
    [ "$(report '.repository')" = '' ]
    [ "$(problems)" = 0 ]
    [ "$(report '[.increments[].disks[] | .sums, .proven] | unique | length')" = 2 ]
    verify data
    [ "$(problems)" = 0 ]
    [ "$(report '[.increments[].disks[].proven]|all')" = true ]
    [ "$(report '[.increments[].id]|join(" ")')" = '0 1 2' ]
}

@test "a byte in a disk is another: the piece is named, in the file and on the disk" {
    original 0
    flip "$BATS_TEST_TMPDIR/disk.0.0" 5000000
    again 0 "$BATS_TEST_TMPDIR/disk.0.0"
    verify structure
    [ "$(problems)" = 0 ]
    verify data
    [ "$(report '.increments[0].disks[0] | "\(.offset) \(.guest_offset) \(.proven)"')" = \
        "4194304 $((4194304 - 5 * 65536)) false" ]
    [[ $(report '.increments[0].disks[0].problem') == 'bytes 4194304 to 8388607 of disk.0.0 are not what was backed up' ]]
    [ "$(problems)" = 1 ]
    [ "$(report '[.increments[1,2].disks[0].proven]|all')" = true ]
}

@test "a byte in the map of a disk is another" {
    original 1
    flip "$BATS_TEST_TMPDIR/disk.0.1" $((4 * 65536 + 8 * 50 + 7))
    again 1 "$BATS_TEST_TMPDIR/disk.0.1"
    verify data
    [ "$(report '.increments[1].disks[0] | "\(.offset) \(.proven)"')" = '0 false' ]
}

@test "a disk that was cut off is told without reading it" {
    original 2
    truncate -s -65536 "$BATS_TEST_TMPDIR/disk.0.2"
    again 2 "$BATS_TEST_TMPDIR/disk.0.2"
    verify structure
    [[ $(report '.increments[2].disks[0].problem') == *'instead of'* ]]
    verify data
    [ "$(report '.increments[2].disks[0].proven')" = false ]
    [ "$(problems)" = 1 ]
}

@test "checksums that were changed are no excuse" {
    restic_here dump "${S[1]}" "$FILES/sums.0.1" >"$BATS_TEST_TMPDIR/sums.0.1"
    flip "$BATS_TEST_TMPDIR/sums.0.1" 3
    again 1 "$BATS_TEST_TMPDIR/sums.0.1"
    verify data
    [ "$(report '.increments[1].disks[0] | "\(.offset) \(.proven)"')" = '0 false' ]
    # Whoever has those of the capture knows more.
    verify data -1 "$BATS_FILE_TMPDIR/known"
    [[ $(report '.increments[1].disks[0].problem') == 'the checksums that are stored with disk.0.1 are not those of its capture' ]]
    [ "$(problems)" = 1 ]
    truncate -s 31 "$BATS_TEST_TMPDIR/sums.0.1"
    again 1 "$BATS_TEST_TMPDIR/sums.0.1"
    verify structure
    [[ $(report '.increments[1].disks[0].problem') == *'wrong size' ]]
}

@test "disk and checksums were changed together: those of the capture tell" {
    original 1
    flip "$BATS_TEST_TMPDIR/disk.0.1" 400000
    "$FIXTURES/sums" "$BATS_TEST_TMPDIR/disk.0.1" >"$BATS_TEST_TMPDIR/sums.0.1"
    again 1 "$BATS_TEST_TMPDIR/disk.0.1" "$BATS_TEST_TMPDIR/sums.0.1"
    verify data -1 "$BATS_FILE_TMPDIR/known"
    [ "$(report '.increments[1].disks[0] | "\(.offset) \(.proven)"')" = '0 false' ]
}

@test "a missing snapshot is named, and the others are looked at all the same" {
    restic_here forget "${S[1]}"
    verify data
    [ "$(report '.increments[1].problem')" = "the snapshot ${S[1]} is not in the repository" ]
    [ "$(report '[.increments[0,2].disks[0].proven]|all')" = true ]
}

@test "a byte in a pack of the repository is another: the disk cannot be read from some offset on" {
    local pack
    pack=$(find "$BASE/12/data" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
    chmod u+w "$pack"
    flip "$pack" $(($(stat -c %s "$pack") / 2))
    verify data
    [[ $(report '[.increments[].disks[].problem] | join(" ")') == *'cannot be read at offset '* ]]
    [ "$(report '[.increments[].disks[] | select(.problem != "") | .offset | type] | unique | join(" ")')" = number ]
    [ "$(report '[.increments[].disks[] | select(.problem != "") | .proven] | any')" = false ]
}

@test "a pack is gone: restic's own check says so, and nobody waits for it for long" {
    local pack began=$SECONDS
    verify structure 0
    # restic itself would wait for minutes.
    export VMVAULT_RESTIC_ANSWER_LIMIT=$((10 + 3 * (SECONDS - began)))
    pack=$(find "$BASE/12/data" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
    rm -f "$pack"
    verify structure 0
    [[ $(report .repository) == *"pack $(basename "$pack" | cut -c1-8)"* ]]
    verify data 0
    [[ $(report '[.increments[].disks[].problem] | join(" ")') == *'cannot be read at offset '* ]]
}

@test "a document of the capture that is missing, or was cut off, is told without reading" {
    local json=$BATS_TEST_TMPDIR/vmvault.json
    restic_here dump "${S[1]}" "$FILES/vmvault.json" |
        jq '.documents = [{what: "NVRAM", file: "nvram.fd", why: "", size: 9}, {what: "TPM state", file: "", why: "no", size: 0}]' >"$json"
    again 1 "$json"
    verify structure
    [[ $(report '.increments[1].problem') == "the snapshot ${S[1]} has no nvram.fd" ]]
    echo short >"$BATS_TEST_TMPDIR/nvram.fd"
    again 1 "$json" "$BATS_TEST_TMPDIR/nvram.fd"
    verify structure
    [ "$(report '.increments[1].problem')" = 'nvram.fd has 6 bytes instead of 9' ]
    echo 12345678 >"$BATS_TEST_TMPDIR/nvram.fd"
    again 1 "$json" "$BATS_TEST_TMPDIR/nvram.fd"
    verify structure
    [ "$(problems)" = 0 ]
}

@test "a chosen increment needs only those before it" {
    restic_here forget "${S[2]}"
    verify data 1
    [ "$(problems)" = 0 ]
    [ "$(report '.increments | length')" = 2 ]
    run -2 --separate-stderr image_action verify "$IMAGE" data 7
    one_line 'no increment 7'
    run -2 --separate-stderr image_action verify "$IMAGE" all -1
    one_line DEPTH
}

@test "backups of others have no checksums: they are read, and nothing is claimed" {
    rm -rf "${BASE:?}/12"
    with_repository
    local place=$BATS_TEST_TMPDIR/place n
    mkdir "$place"
    S=()
    for n in 0 1; do
        rm -f "$place"/disk.*
        sequential "$place/one" 40 "$n=a" 20=b
        qemu-img convert -f qcow2 -O qcow2 "$place/one" "$place/disk.0.$n"
        vm | base64 >"$place/vm.xml"
        S+=("$(restic_here --json backup "$place"/disk.* "$place/vm.xml" | jq -r 'select(.snapshot_id).snapshot_id')")
    done
    chain_is "${S[@]}"
    verify data
    [ "$(problems)" = 0 ]
    [ "$(report '[.increments[].disks[] | .sums, .proven] | any')" = false ]
}

@test "the first of a flattened chain is not measured by what it was before" {
    IMAGE=$(image "1:${S[1]}" "2:${S[2]}")
    original 0
    cp "$BATS_TEST_TMPDIR/disk.0.0" "$BATS_TEST_TMPDIR/disk.0.1"
    again 1 "$BATS_TEST_TMPDIR/disk.0.1"
    IMAGE=$(image "1:${S[1]}" "2:${S[2]}")
    verify data
    [ "$(problems)" = 0 ]
    [ "$(report '[.increments[].disks[] | "\(.sums) \(.proven)"] | join(", ")')" = 'false false, true true' ]
}

@test "a repository that cannot be opened is a failure, and says nothing of the backup" {
    PASSWORD=wrong run -1 --separate-stderr image_action verify "$IMAGE" data -1
    one_line RESTIC_PASSWORD
    mv "$BASE/12" "$BASE/13"
    run -1 --separate-stderr image_action verify "$IMAGE" structure -1
    one_line 'is not there'
}

@test "a cancelled verification ends, and leaves no lock" {
    local bin=$BATS_TEST_TMPDIR/bin status=0 pid
    mkdir "$bin"
    cat >"$bin/restic" <<SH
#!/bin/sh
case " \$* " in *' dump '*disk.0.0*) touch '$BATS_TEST_TMPDIR/reads'; exec sleep 600 ;; esac
exec '$(command -v restic)' "\$@"
SH
    chmod +x "$bin/restic"
    PATH=$bin:$PATH "$BUILD/datastore/restic/verify" data 0 2>"$BATS_TEST_TMPDIR/err" \
        < <(request "$IMAGE" "$(datastore)" | base64) 3>&- &
    pid=$!
    eventually test -e "$BATS_TEST_TMPDIR/reads"
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 143 ]
    [ -z "$(lock_files "$BASE/12")" ]
}
