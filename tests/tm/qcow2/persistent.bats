# SPDX-License-Identifier: Apache-2.0
# INCREMENT_MODE=SNAPSHOT: a persistent image as OpenNebula's tm/qcow2/ln gives it to its VMs.

load layers.bash

setup_file() {
    export INCREMENT_MODE=SNAPSHOT
    layers_start
}

teardown_file() { hypervisor_stop; }

setup() {
    IMAGE=$BATS_FILE_TMPDIR/images/abc
    mkdir -p "$VM_DIR" "$STORE" "$BATS_FILE_TMPDIR/images"
    qemu-img create -q -f qcow2 "$IMAGE" 64M
    qemu-io -c 'write -P 1 0 8M' "$IMAGE" >/dev/null
    given
}

teardown() {
    lab_gone
    rm -rf "$BATS_FILE_TMPDIR/images"
}

# given: the VM gets the image as disk 0, by the commands of tm/qcow2/ln; disk 1 is a plain file
given() {
    local snap
    mkdir -p "$IMAGE.snap"
    [ -L "$IMAGE.snap/abc.snap" ] || ln -s . "$IMAGE.snap/abc.snap"
    # shellcheck disable=SC2010 # as it is there
    snap=$(ls "$IMAGE.snap" | grep '^[[:digit:]]*$' | sort -n | tail -n 1 || true)
    if [ -z "$snap" ]; then
        snap=0
        ln -sf "$IMAGE" "$IMAGE.snap/0"
    fi
    ln -sfn "$IMAGE.snap/$snap" "$VM_DIR/disk.0"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 32M
}

persistent_on() {
    linked_define --no-agent
    virsh -q dumpxml lab --inactive | sed "s#<source file='${IMAGE}[^']*'/>#<source file='$VM_DIR/disk.0'/>#" |
        virsh -q define /dev/stdin
    virsh -q start lab --paused
}
changes() {
    disk_write lab 0 "write -P $((100 + $1)) $((8 + $1))M 64k"
    disk_write lab 1 "write -P $((200 + $1)) 100k 4k"
}

@test "it is backed up, on and off, and its layers are merged into the image" {
    persistent_on
    capture 0
    changes 1
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    lab_off
    capture 2 ''
    [ "$(kinds)" = 'increment increment' ]
    persistent_on
    changes 3
    capture 3
    lab_off
    capture 4 ''
    [ "$(layers 0)" = '5 4 0' ]
    for k in 0 1 2 3 4; do restores $k; done
    [ "$(readlink "$IMAGE.snap/0")" = "$IMAGE" ]
}

@test "after a new chain has begun, the image's next VM starts on what this one wrote last" {
    qemu-img create -q -f qcow2 -F qcow2 -b "$IMAGE.snap/0" "$IMAGE.snap/1"   # the full of OpenNebula's driver
    ln -sfn "$IMAGE.snap/1" "$VM_DIR/disk.0"
    persistent_on
    local n
    for n in 1 2 3; do
        changes $n
        DISKS='0 1' step prebackup_live $((n - 1))
        DISKS='0 1' step postbackup_live $((n - 1))
    done
    capture 0
    changes 4
    reference "$BATS_TEST_TMPDIR/before" "$VM_DIR/disk.0"
    lab_off
    rm -rf "$VM_DIR"
    mkdir "$VM_DIR"
    given
    same_disk "$BATS_TEST_TMPDIR/before/disk.0" "$VM_DIR/disk.0"
}
