# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of increment_flatten: chains of two disks, and what they held at each increment.

# chain_setup COUNT: for setup_file; backs up COUNT increments, of files that "increment N" makes.
# Their ids are in ids, the disks as they were in was.<disk>.<increment>.
chain_setup() {
    local n disk BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    store_setup
    with_repository
    mkdir "$BATS_FILE_TMPDIR/copies"
    for ((n = 0; n < $1; n++)); do
        rm -f "$FILES"/*
        increment "$n"
        write_vm_xml
        LAST=$((n - 1)) store
        echo "$ID" >>"$BATS_FILE_TMPDIR/ids"
        for disk in 0 2; do
            mv "$FILES/disk.$disk.$n" "$BATS_FILE_TMPDIR/copies/"
            as_it_was "$BATS_FILE_TMPDIR/copies" "$disk" "$n" "$BATS_FILE_TMPDIR/was.$disk.$n"
        done
    done
    rm -r "$VMDIR"   # the VM may be anywhere
}

# store: what is in FILES, as one increment; sets ID
store() { DISKS=0:2 backup_ok; }

# as_it_was DIR DISK N OUT: as contract 4.8 says how increment N is read; older ones are ready
as_it_was() {
    [ "$3" -eq 0 ] || qemu-img rebase -u -f qcow2 -F qcow2 -b "$1/disk.$2.$(($3 - 1))" "$1/disk.$2.$3"
    qemu-img convert -f qcow2 -O raw "$1/disk.$2.$3" "$4"
}

# For setup: the chain as chain_setup left it
chain_copy() {
    store_setup
    rmdir "$FILES"; rm -r "$VMDIR"
    cp -r "$BATS_FILE_TMPDIR/base" "$BASE"
    STORED=$BATS_FILE_TMPDIR/system/12/backup   # the directory as the snapshots know it
    mapfile -t S <"$BATS_FILE_TMPDIR/ids"
    SCRATCH=$BATS_TEST_TMPDIR/scratch
    mkdir "$SCRATCH"
    EXTRA="<RESTIC_TMP_DIR>$SCRATCH</RESTIC_TMP_DIR>"
    publish_datastore
}

# entries: the chain's, as image wants them
entries() {
    local n
    for n in "${!S[@]}"; do echo "$n:${S[n]}"; done
}

# flatten KEEP [IMAGE]: run by the words of VIA
flatten() {
    local image=${2-}
    # shellcheck disable=SC2046
    [ -n "$image" ] || image=$(image $(entries))
    request "$image" "$(datastore)" "<EXTRA_DATA><KEEP_LAST>$1</KEEP_LAST></EXTRA_DATA>" | base64 |
        ${VIA-} "$BUILD/datastore/restic/increment_flatten" 57
}

# flatten_ok KEEP [IMAGE]: sets CHAIN to the new chain, and FLAT to the new snapshot
flatten_ok() {
    run -0 --separate-stderr flatten "$@"
    [[ $output =~ ^[0-9]+\ [0-9]+:[0-9a-f]{8}(,[0-9]+:[0-9a-f]{8})*$ ]] || { echo "answer: $output"; return 1; }
    CHAIN=${output#* }
    FLAT=${CHAIN%%,*} FLAT=${FLAT#*:}
}

# restores CHAIN [DIR]: each increment of it, both disks, is what it was
restores() {
    local chain='' entry n disk
    for entry in ${1//,/ }; do
        chain+=${chain:+,}$entry n=${entry%%:*}
        for disk in 0 2; do
            "$BUILD/datastore/restic/downloader" --stream \
                "restic://100//$chain${2:-$STORED}/disk.$disk.$n" >"$BATS_TEST_TMPDIR/restored.qcow2" || return
            qemu-img check -q -f qcow2 "$BATS_TEST_TMPDIR/restored.qcow2" || return
            qemu-img convert -f qcow2 -O raw "$BATS_TEST_TMPDIR/restored.qcow2" "$BATS_TEST_TMPDIR/restored.raw"
            cmp "$BATS_TEST_TMPDIR/restored.raw" "$BATS_FILE_TMPDIR/was.$disk.$n" || return
        done
    done
}

# stored_in SNAPSHOT JQ: of what restic says of it
stored_in() { restic_here snapshots --json --no-lock "$1" | jq -r ".[0]$2"; }

# nothing_left: no scratch and no note of it, no lock
nothing_left() {
    [ -z "$(find "$SCRATCH" -mindepth 1; lock_files "$BASE/12")" ] && [ ! -e "$VMVAULT_VAR/restic-flatten.100.12.12" ]
}

# is_storing: restic has its lock, and reads the merged disks now
is_storing() {
    pgrep -f "backup --force .*--tag=vmvault-flat-.*$STORED" >/dev/null &&
        [ -n "$(lock_files "$BASE/12")" ]
}
# noise FILE: its first cluster of data is what cannot be compressed
noise() { head -c 65536 /dev/urandom | dd of="$1" bs=64k count=1 seek=5 iflag=fullblock conv=notrunc status=none; }

# flatten_slowly ARGS...: in the background, as $slow; what restic stores takes a second for each 8 KiB
flatten_slowly() {
    local bin=$BATS_TEST_TMPDIR/slow real
    real=$(command -v restic)
    mkdir -p "$bin"
    cat >"$bin/restic" <<SH
#!/bin/sh
case " \$* " in *' backup '*) exec '$real' "\$@" --limit-upload=8 ;; esac
exec '$real' "\$@"
SH
    chmod +x "$bin/restic"
    PATH=$bin:$PATH flatten "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    slow=$!
}
# action_pid: of the flatten that runs
action_pid() { cut -d' ' -f1 "$VMVAULT_VAR/running/12.flatten"; }

# without_fuse COMMAND...: where no view can be mounted
without_fuse() {
    unshare -m --propagation private bash -c 'mount --bind /dev/null /dev/fuse && exec "$@"' - "$@"
}
