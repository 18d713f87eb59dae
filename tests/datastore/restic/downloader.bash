# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of the restic downloader: chains whose disk 0 is downloaded to OUT.

setup() {
    store_setup
    with_repository
    publish_datastore
    OUT=$BATS_TEST_TMPDIR/out.qcow2
}

# increment N [CONTENTS...]: backs up disk.0.N of sequential layout; adds to CHAIN
increment() {
    rm -f "$FILES"/disk.*
    sequential "$FILES/disk.0.$1" 40 "${@:2}"
    keep "$1"
}
# keep N: backs up what is there, keeps the file, and adds to CHAIN
keep() {
    write_vm_xml
    LAST=$(($1 - 1)) backup_ok
    CHAIN=${CHAIN:+$CHAIN,}$1:$ID
    cp "$FILES/disk.0.$1" "$BATS_TEST_TMPDIR/"
    URL=restic://100//$CHAIN$FILES/disk.0.$1
}

# expect LETTER...: the disk OUT holds these letters, one for each of its first clusters; . is zeros
expect() {
    run -0 qemu-img check -q -f qcow2 "$OUT"
    qemu-img convert -f qcow2 -O raw "$OUT" "$BATS_TEST_TMPDIR/out.raw"
    local i=0 letter
    for letter; do
        [ "$(dd if="$BATS_TEST_TMPDIR/out.raw" bs=65536 skip=$i count=1 status=none |
            tr '\0' . | fold -w1 | sort -u)" = "$letter" ] || { echo "cluster $i is not $letter"; return 1; }
        i=$((i + 1))
    done
}

download() { "$BUILD/datastore/restic/downloader" --stream "$URL" >"$OUT"; }

three_increments() {
    increment 0 0=a 1=b 2=c 5=d
    increment 1 1=B 2=zero
    increment 2 3=C 5=D
}

random_chain() {
    qemu-img create -q -f qcow2 "$FILES/disk.0.0" 3M
    qemu-io -f qcow2 -c 'write -P 0x63 2M 64k' -c 'write -P 0x61 0 128k' "$FILES/disk.0.0" >/dev/null
    keep 0
    # The base is rewritten, so its name must not be trusted.
    qemu-img create -q -f qcow2 -b "$BATS_TEST_TMPDIR/disk.0.0" -F qcow2 "$FILES/disk.0.1" 3M
    rm "$FILES/disk.0.0"
    qemu-io -f qcow2 -c 'write -P 0x62 64k 64k' -c 'write -z 0 64k' "$FILES/disk.0.1" >/dev/null
    keep 1
    mkdir "$BATS_TEST_TMPDIR/tmp"
    EXTRA="<RESTIC_TMP_DIR>$BATS_TEST_TMPDIR/tmp</RESTIC_TMP_DIR>"
    publish_datastore
}
