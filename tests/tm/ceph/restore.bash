# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A VM with two images in Ceph and a file, and a chain of backups of it, to be restored in place.

# shellcheck source=tests/datastore/requests.bash
source "$ROOT/tests/datastore/requests.bash"

CLONE=one/one-7-$VM_ID-0

# For setup_file, teardown_file, setup and teardown
restore_start() {
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

restore_stop() {
    "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"
    ceph_stop
}

restore_setup() {
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

restore_teardown() {
    osd CONT
    [ ! -e "$BATS_TEST_TMPDIR/full" ] || full_at 0.85 0.9 0.95
    [ ! -e "$BATS_TEST_TMPDIR/nbd.pid" ] || kill "$(<"$BATS_TEST_TMPDIR/nbd.pid")"
}

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
# another restore_host has come, and LATER seconds have gone; with FRONT, it never begins, and nobody comes.
killed_at() {
    with_rbd <<SH
if [ "\$1" = rename ]; then
    echo >>'$BATS_TEST_TMPDIR/renames'
    if [ "\$(wc -l <'$BATS_TEST_TMPDIR/renames')" = $1 ]; then
        [ -z '${FRONT-}' ] || kill -KILL "\$(<'$BATS_TEST_TMPDIR/front')"
        kill -KILL \$PPID
        [ -z '${FRONT-}' ] || exit 1
        for _ in {1..600}; do
            ! grep -qsxz 'en[d]' /proc/[0-9]*/cmdline || break
            sleep 0.05
        done
        sleep ${LATER:-0}
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

looked() { "$BUILD/tm/host/backup_host" recover --all 2>/dev/null && all_old; }
