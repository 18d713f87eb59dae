# SPDX-License-Identifier: Apache-2.0
# Chains of older versions of OpenNebula, exports of rbd, are read and merged.

load helper.bash
source "$ROOT/tests/datastore/restic/restic.bash"

IMAGE=one/one-7-77-0
LAST=11   # a sort by text would take it before the third

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONED=$BATS_FILE_TMPDIR/oned ONE_XMLRPC ONE_AUTH
    ceph_start
    a_legacy_chain
    ceph_stop
    cat >"$ONED/datastores/103.xml" <<XML
<DATASTORE><ID>103</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>$BATS_FILE_TMPDIR/server</BASE_PATH><TEMPLATE>
<RSYNC_HOST>localhost</RSYNC_HOST><RSYNC_USER>$(id -un)</RSYNC_USER></TEMPLATE></DATASTORE>
XML
}
teardown_file() {
    "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"
    ceph_stop
}

# source_of N: the name of the backup
source_of() { printf 'aa%04x' "$1"; }
chain_to() { local n; for ((n = 0; n <= $1; n++)); do printf ',%d:%s' $n "$(source_of $n)"; done | cut -c2-; }

# As older drivers of OpenNebula made it: all of the image with its snapshots, and what has changed since.
a_legacy_chain() {
    local n dir
    rbd create --size 16M $IMAGE
    for ((n = 0; n <= LAST; n++)); do
        dir=$BATS_FILE_TMPDIR/server/77/$(source_of $n)
        mkdir -p "$dir"
        image_write $IMAGE "write -P $((n + 1)) 1M $((64 + n))k" "write -P $((n + 1)) ${n}M 4k" "discard ${n}M 512k"
        [ $n != 3 ] || rbd resize --no-progress --size 20M $IMAGE
        [ $n != 0 ] || rbd snap create --no-progress $IMAGE@mine
        rbd snap create --no-progress "$IMAGE@one_backup_$n"
        if [ $n = 0 ]; then
            image_write $IMAGE 'write -P 99 9M 4k'   # between the snapshot and the export
            rbd export --no-progress --export-format 2 $IMAGE "$dir/disk.0.rbd2"
        else
            rbd export-diff --no-progress --from-snap one_backup_$((n - 1)) "$IMAGE@one_backup_$n" "$dir/disk.0.$n.rbdiff"
        fi
        rbd export --no-progress "$IMAGE@one_backup_$n" "$BATS_FILE_TMPDIR/ref.$n"
        echo '<VM><ID>77</ID><TEMPLATE/></VM>' | base64 >"$dir/vm.xml"
    done
}

setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var
    BASE=$BATS_FILE_TMPDIR/server
}

# is FILE N: the disk as it was at increment N
is() { qemu-img check -q "$1" && qemu-img compare -q -f qcow2 -F raw "$1" "$BATS_FILE_TMPDIR/ref.$2"; }

# from MAD N [URL]: what its downloader gives
from() { "$BUILD/datastore/$1/downloader" --stream "${3-$1+rbd://103//$(chain_to "$2")$BASE/77/$(source_of "$2")/disk.0.$2.rbdiff}"; }

@test "rsync: each increment, through our own server and as the core's downloader.sh calls us" {
    local n
    for n in 0 2 3 $LAST; do
        from rsync $n >"$BATS_TEST_TMPDIR/disk"
        is "$BATS_TEST_TMPDIR/disk" $n
    done
    REMOTES=$BUILD "$FIXTURES/downloader.sh" "rsync+rbd://103//$(chain_to $LAST)$BASE/77/$(source_of $LAST)/disk.0.$LAST.rbdiff" \
        "$BATS_TEST_TMPDIR/disk"
    is "$BATS_TEST_TMPDIR/disk" $LAST
}

@test "it is no fault of a backup that it is of this format" {
    local n depth ids=()
    for ((n = 0; n <= LAST; n++)); do ids+=("$n:$(source_of $n)"); done
    for depth in structure data; do
        run -0 --separate-stderr action datastore/rsync/verify $depth -1 < <(
            request "$(VM=77 FORMAT=rbd image "${ids[@]}")" "$(cat "$ONED/datastores/103.xml")")
        [ "$(jq -c '[.increments[] | .problem, .disks[].problem] | unique' <<<"$output")" = '[""]' ]
        [ "$(jq '[.increments[].disks[]] | length' <<<"$output")" -eq $((LAST + 1)) ]
    done
}

@test "rsync: the oldest are merged, and the rest still goes on top of them" {
    cp -r "$BASE/77" "$BATS_TEST_TMPDIR/77"
    BASE=$BATS_TEST_TMPDIR
    sed "s,$BATS_FILE_TMPDIR/server,$BASE," "$ONED/datastores/103.xml" >"$BATS_TEST_TMPDIR/datastore.xml"
    cp "$ONED/datastores/103.xml" "$BATS_TEST_TMPDIR/before.xml"
    cp "$BATS_TEST_TMPDIR/datastore.xml" "$ONED/datastores/103.xml"
    local n ids=()
    for ((n = 0; n <= LAST; n++)); do ids+=("$n:$(source_of $n)"); done
    run -0 --separate-stderr action datastore/rsync/increment_flatten 57 < <(
        request "$(VM=77 FORMAT=rbd image "${ids[@]}")" "$(cat "$BATS_TEST_TMPDIR/datastore.xml")" \
            '<EXTRA_DATA><KEEP_LAST>2</KEEP_LAST></EXTRA_DATA>')
    [[ $output == *" 10:$(source_of 10),11:$(source_of 11)" ]]
    [ "$(ls "$BASE/77")" = "$(source_of 10)"$'\n'"$(source_of 11)" ]
    [ ! -e "$BASE/77/$(source_of 10)/disk.0.10.rbdiff" ]
    is "$BASE/77/$(source_of 10)/disk.0.10" 10
    from rsync 11 "rsync+rbd://103//${output#* }$BASE/77/$(source_of 11)/disk.0.11.rbdiff" >"$BATS_TEST_TMPDIR/disk"
    is "$BATS_TEST_TMPDIR/disk" 11
    cp "$BATS_TEST_TMPDIR/before.xml" "$ONED/datastores/103.xml"
}

@test "restic: a chain is read, and its oldest become one" {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR store_setup
    unset VMVAULT_CORE_DIR
    VM=77 VMDIR=$BATS_TEST_TMPDIR/system/77 FILES=$BATS_TEST_TMPDIR/system/77/backup BASE=$BATS_TEST_TMPDIR/base
    mkdir -p "$FILES"
    with_repository 77
    local n chain=()
    for n in 0 1 2; do
        rm -f "$FILES"/*
        cp "$BATS_FILE_TMPDIR/server/77/$(source_of $n)"/* "$FILES"
        LAST=$((n - 1)) backup_ok
        [[ $output == *' rbd' ]]
        chain+=("$n:$ID")
    done
    datastore >"$ONED/datastores/100.xml"
    from restic 2 "restic+rbd://100//$(IFS=,; echo "${chain[*]}")$FILES/disk.0.2.rbdiff" >"$BATS_TEST_TMPDIR/disk"
    is "$BATS_TEST_TMPDIR/disk" 2
    from restic 0 "restic+rbd://100//${chain[0]}$FILES/disk.0.rbd2" >"$BATS_TEST_TMPDIR/disk"
    is "$BATS_TEST_TMPDIR/disk" 0
    run -0 --separate-stderr action datastore/restic/increment_flatten 57 < <(
        request "$(VM=77 FORMAT=rbd image "${chain[@]}")" "$(datastore)" \
            '<EXTRA_DATA><KEEP_LAST>2</KEEP_LAST></EXTRA_DATA>')
    [[ $output == *" 1:"*,"${chain[2]}" ]]
    from restic 2 "restic+rbd://100//${output#* }$FILES/disk.0.2.rbdiff" >"$BATS_TEST_TMPDIR/disk"
    is "$BATS_TEST_TMPDIR/disk" 2
}

@test "a file that is cut short, or is not there, is an error and no disk" {
    local dir=$BASE/77/bb0000
    mkdir -p "$dir"
    head -c -1 "$BASE/77/aa0001/disk.0.1.rbdiff" >"$dir/disk.0.1.rbdiff"
    run -1 --separate-stderr from rsync 1 "rsync+rbd://103//0:aa0000,1:bb0000$BASE/77/bb0000/disk.0.1.rbdiff"
    [[ $stderr == *"cut short"* ]]
    rm "$dir/disk.0.1.rbdiff"
    run -1 --separate-stderr from rsync 1 "rsync+rbd://103//0:aa0000,1:bb0000$BASE/77/bb0000/disk.0.1.rbdiff"
    [[ $stderr == *"disk.0.1"* ]]
    cp "$BASE/77/aa0001/disk.0.1.rbdiff" "$dir/disk.0.0.rbdiff"
    run -1 --separate-stderr from rsync 0 "rsync+rbd://103//0:bb0000$BASE/77/bb0000/disk.0.0.rbdiff"
    [[ $stderr == *"it is not all of a disk"* ]]
}
