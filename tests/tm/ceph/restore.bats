# SPDX-License-Identifier: Apache-2.0
# A backup takes the place of the disks of a powered-off VM that are images in Ceph, and of one in a file.

load helper.bash
source "$ROOT/tests/datastore/requests.bash"

CLONE=one/one-7-$VM_ID-0

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONE_XMLRPC ONE_AUTH DEPLOY_ID='' VMVAULT_VAR=$BATS_FILE_TMPDIR/var LIBVIRT_URI=test:///default
    ceph_start
    rbd create --size 32M one/one-7
    image_write one/one-7 'write -P 1 0 3M' 'write -P 2 20M 4k'
    rbd snap create --no-progress one/one-7@snap
    rbd snap protect one/one-7@snap
    rbd clone one/one-7@snap $CLONE
    volatile_create
    image_write $VOLATILE 'write -P 9 0 1M'
    qemu-img create -q -f qcow2 "$VM_DIR/disk.2" 4M
    qemu-io -f qcow2 -c 'write -q -P 5 1M 64k' "$VM_DIR/disk.2"
    a_chain
    cat >"$BATS_FILE_TMPDIR/oned/datastores/103.xml" <<XML
<DATASTORE><ID>103</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>$BATS_FILE_TMPDIR/server</BASE_PATH><TEMPLATE>
<RSYNC_HOST>localhost</RSYNC_HOST><RSYNC_USER>$(id -un)</RSYNC_USER></TEMPLATE></DATASTORE>
XML
    backup_image 57 0:aa0000 1:aa0001
    DISKS='clone:one/one-7 volatile:one qcow2' vm_xml -1 >"$BATS_FILE_TMPDIR/oned/vms/$VM_ID.xml"
}

volatile_create() { rbd create --size 24M --object-size 1M --image-feature layering,exclusive-lock $VOLATILE; }

# backup_image ID CHAIN_ENTRY...
backup_image() {
    VM=$VM_ID image "${@:2}" | sed "s,<VMS>,<DATASTORE_ID>103</DATASTORE_ID>&,; s,<ID>57<,<ID>$1<," \
        >"$BATS_FILE_TMPDIR/oned/images/$1.xml"
}

# On the server: a full and an increment; what they hold is beside.
a_chain() {
    local n dir DISKS='clone:one/one-7 volatile:one qcow2'
    for n in 0 1; do
        dir=$BATS_FILE_TMPDIR/server/$VM_ID/aa000$n
        image_write $VOLATILE "write -P $((n + 3)) 5M 300k" 'discard 0 64k'
        image_now $CLONE "$BATS_FILE_TMPDIR/ref.0.$n"
        image_now $VOLATILE "$BATS_FILE_TMPDIR/ref.1.$n"
        step prebackup $((n - 1))
        mkdir -p "$dir"
        cp "$VM_DIR"/backup/disk.* "$VM_DIR/backup/vm.xml" "$dir"
        step postbackup $((n - 1))
    done
    qemu-img convert -O raw "$VM_DIR/disk.2" "$BATS_FILE_TMPDIR/ref.2.1"
}

teardown_file() {
    "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"
    ceph_stop
}

setup() {
    BIN=$BATS_TEST_TMPDIR/bin
    mkdir "$BIN"
    printf 'CEPH_DEADLINE=8\n' >"$BATS_TEST_TMPDIR/host.conf"
    export VMVAULT_HOST_CONF=$BATS_TEST_TMPDIR/host.conf
    rbd info $VOLATILE >/dev/null 2>&1 || volatile_create
    image_write $CLONE 'write -P 77 0 4M'
    image_write $VOLATILE 'write -P 77 0 4M'
    rm -f "$VM_DIR/disk.2"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.2" 4M
    qemu-io -f qcow2 -c 'write -q -P 77 0 4M' "$VM_DIR/disk.2"
}

teardown() { osd CONT; }

# restore_vm [INCREMENT] [DISK]
restore_vm() { "$BUILD/tm/ceph/restore" "localhost:$VM_DIR" $VM_ID 57 "${1:--1}" "${2:--1}"; }

image_of() { [ "$1" = 0 ] && echo $CLONE || echo $VOLATILE; }
# holds DISK INCREMENT
holds() {
    image_now "$(image_of "$1")" "$BATS_TEST_TMPDIR/now"
    cmp "$BATS_TEST_TMPDIR/now" "$BATS_FILE_TMPDIR/ref.$1.$2"
}
file_holds() { qemu-img compare -q -f qcow2 -F raw "$VM_DIR/disk.2" "$BATS_FILE_TMPDIR/ref.2.1"; }
is_old() {
    local said
    if [ "$1" = 2 ]; then
        said=$(qemu-io -r -f qcow2 -c 'read -P 77 0 4M' "$VM_DIR/disk.2" 2>&1)
    else
        said=$(qemu-io -r -f raw -c 'read -P 77 0 4M' "rbd:$(image_of "$1"):conf=$CEPH_CONF" 2>&1)
    fi
    [[ $said == *'read 4194304'* && $said != *failed* ]]
}
all_old() { is_old 0 && is_old 1 && is_old 2; }
all_new() { holds 0 1 && holds 1 1 && file_holds; }
# tidy: nothing of a restore is left
tidy() {
    [ -z "$(rbd ls one | grep vmvault)" ]
    [ -z "$(find "$VM_DIR" -name '*vmvault*' -o -name 'restore.*')" ]
}
# with_rbd: what stdin says is done instead of rbd, which is "$RBD"
with_rbd() {
    { printf '#!/bin/bash\nRBD=%q\n' "$(command -v rbd)"; cat; } >"$BIN/rbd"
    chmod +x "$BIN/rbd"
    export PATH=$BIN:$PATH
}
# killed_at N: at the N-th rename of an image, restore_host is killed, and this rename begins when
# another restore_host has come; with FRONT, that one has no front-end any more, and nobody comes.
killed_at() {
    with_rbd <<SH
if [ "\$1" = rename ]; then
    echo >>'$BATS_TEST_TMPDIR/renames'
    if [ "\$(wc -l <'$BATS_TEST_TMPDIR/renames')" = $1 ]; then
        [ -z '${FRONT-}' ] || kill -KILL "\$(<'$BATS_TEST_TMPDIR/front')"
        kill -KILL \$PPID
        [ -n '${FRONT-}' ] || for _ in {1..600}; do
            ! grep -qsxz end /proc/[0-9]*/cmdline || break
            sleep 0.05
        done
    fi
fi
exec "\$RBD" "\$@"
SH
    # Itself, and no shell around it.
    "$BUILD/tm/ceph/restore" "localhost:$VM_DIR" $VM_ID 57 -1 -1 3>&- 2>"$BATS_TEST_TMPDIR/err" &
    echo $! >"$BATS_TEST_TMPDIR/front"
    wait $! || true
    PATH=${PATH#"$BIN":}
}

@test "all disks, as of the last increment: images with the features that they had, and a file" {
    rbd snap create --no-progress $VOLATILE@mine
    rbd snap protect $VOLATILE@mine
    restore_vm
    all_new
    [ -z "$(snapshots $CLONE)$(snapshots $VOLATILE)" ]
    [ "$(rbd info --format json $VOLATILE | jq -c '[.order, .features]')" = '[20,["layering","exclusive-lock"]]' ]
    tidy
}

@test "one disk, as of the first increment; by the name of another driver" {
    "$BUILD/tm/ssh/restore" "localhost:$VM_DIR" $VM_ID 57 0 1
    holds 1 0
    is_old 0
    is_old 2
    tidy
}

@test "an image that is not there any more comes back, from a file as qemu writes it" {
    rbd snap purge --no-progress $VOLATILE
    rbd rm --no-progress $VOLATILE
    local dir=$BATS_FILE_TMPDIR/server/$VM_ID/aa0009
    mkdir "$dir"
    qemu-img convert -c -f raw -O qcow2 "$BATS_FILE_TMPDIR/ref.1.1" "$dir/disk.1.0"
    backup_image 58 0:aa0009
    "$BUILD/tm/ceph/restore" "localhost:$VM_DIR" $VM_ID 58 0 1
    holds 1 1
    tidy
}

@test "a VM that runs keeps its disks" {
    qemu-nbd --fork --persistent -f raw --pid-file="$BATS_TEST_TMPDIR/nbd.pid" \
        --socket="$BATS_TEST_TMPDIR/nbd" "rbd:$VOLATILE:conf=$CEPH_CONF"
    run -1 --separate-stderr restore_vm
    kill "$(<"$BATS_TEST_TMPDIR/nbd.pid")"
    one_line "the Ceph image $VOLATILE is in use"
    all_old
    tidy
}

@test "a disk that does not come whole, or is not written as it came: all stay as they were" {
    local file=$BATS_FILE_TMPDIR/server/$VM_ID/aa0001/disk.1.1
    mv "$file" "$BATS_TEST_TMPDIR/whole"
    head -c 500000 "$BATS_TEST_TMPDIR/whole" >"$file"
    run -1 --separate-stderr restore_vm
    mv "$BATS_TEST_TMPDIR/whole" "$file"
    one_line 'Error restoring VM disks: '
    all_old
    tidy
    with_rbd <<SH
"\$RBD" "\$@" || exit
[ "\$1" != import-diff ] || qemu-io -f raw -c 'write -q -P 8 9M 4k' "rbd:\${!#}:conf=$CEPH_CONF"
SH
    run -1 --separate-stderr restore_vm
    one_line 'does not hold what was written to it'
    PATH=${PATH#"$BIN":}
    all_old
    tidy
}

@test "restore_host is killed at any rename of an image: the old ones are back" {
    local n
    for n in 2 4; do
        rm -f "$BATS_TEST_TMPDIR/renames"
        killed_at $n
        all_old
        tidy
    done
}

looked() { "$BUILD/tm/host/backup_host" recover --all 2>/dev/null && all_old; }

@test "all of it is killed: the VM lacks a disk until somebody looks, and then has the old ones" {
    local n
    for n in 2 3; do
        rm -f "$BATS_TEST_TMPDIR/renames"
        FRONT=yes killed_at $n
        [ "$n" = 3 ] || run ! rbd info $CLONE
        [ "$n" = 2 ] || run ! rbd info $VOLATILE
        eventually looked   # the last rename may still be going on
    done
    restore_vm -1 2   # removes what is left
    tidy
}

@test "a rename that was cut off in the cluster leaves no image with two names" {
    # As it is after the first step of a rename, and before its last one.
    rados -p one cp rbd_id.one-sys-77-1 rbd_id.one-sys-77-1.vmvault-old-0badcafe
    rbd create --size 1M one/one-7-77-0.vmvault-new-0badcafe
    rbd mv $CLONE $CLONE.vmvault-old-0badcafe
    rados -p one cp rbd_id.one-7-77-0.vmvault-old-0badcafe rbd_id.one-7-77-0
    cat >"$VM_DIR/restore.journal" <<JSON
{"version": 1, "vm": $VM_ID, "phase": "swapping", "places": [
$(for image in $CLONE $VOLATILE; do echo "{\"image\": \"$image\", \"user\": \"libvirt\",
\"conf\": \"$CEPH_CONF\", \"key_file\": \"\", \"tag\": \"0badcafe\", \"had\": true},"; done | sed '$s/,$//')]}
JSON
    restore_vm
    all_new
    [ "$(rados -p one ls | grep -c 'rbd_id.*77')" -eq 2 ]
    tidy
}

@test "an old image with clones stays, under another name" {
    rbd snap create --no-progress $VOLATILE@kept
    rbd snap protect $VOLATILE@kept
    rbd clone $VOLATILE@kept one/child
    run -0 --separate-stderr restore_vm -1 1
    [[ $stderr == *"has clones, so it stays"* ]]
    holds 1 1
    local old
    old=one/$(rbd ls one | grep vmvault-old)
    rbd rm --no-progress one/child
    rbd snap unprotect "$old@kept"
    rbd snap purge --no-progress "$old"
    rbd rm --no-progress "$old"
    tidy
}

@test "a cluster that stops in the middle: an error in time, and the next restore works" {
    printf 'CEPH_DEADLINE=3\n' >"$BATS_TEST_TMPDIR/host.conf"
    with_rbd <<SH
[ "\$1" != rename ] || '$FIXTURES/ceph' osd '$BATS_FILE_TMPDIR/ceph' STOP
exec "\$RBD" "\$@"
SH
    run -1 --separate-stderr restore_vm -1 1
    PATH=${PATH#"$BIN":}
    osd CONT
    one_line 'imed out'
    printf 'CEPH_DEADLINE=60\n' >"$BATS_TEST_TMPDIR/host.conf"
    "$BUILD/tm/host/backup_host" recover --all
    is_old 1
    restore_vm -1 1
    holds 1 1
    tidy
}
