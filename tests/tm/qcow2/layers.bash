# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A VM as OpenNebula starts it: on the links <vm dir>/disk.N; and backups that are kept, to restore
# from them as contract 4.8 says.
load helper.bash

STORE=${BATS_FILE_TMPDIR:-}/store

# linked_define [OPTIONS]: the domain "lab" on $VM_DIR/disk.0 and disk.1, as the links name them
linked_define() {
    "$FIXTURES/domain" --guest "$GUEST" "$@" lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0" "$VM_DIR/disk.1" |
        sed "s#<source file='[^']*/disk.0.snap/[0-9]*'/>#<source file='$VM_DIR/disk.0'/>#" |
        virsh -q define /dev/stdin
}

# layers_start: for setup_file
layers_start() {
    hypervisor_start
    qemu-img create -q -f qcow2 "$BATS_FILE_TMPDIR/image" 64M
    qemu-io -c 'write -P 1 0 8M' "$BATS_FILE_TMPDIR/image" >/dev/null
}

# lab_made SIZE: it runs; disk 0 is a link to a layer on an image (contract 4.4), disk 1 a plain file
lab_made() {
    mkdir -p "$VM_DIR/disk.0.snap" "$STORE"
    qemu-img create -q -f qcow2 -b "$BATS_FILE_TMPDIR/image" -F qcow2 "$VM_DIR/disk.0.snap/0"
    ln -s disk.0.snap/0 "$VM_DIR/disk.0"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" "$1"
    lab_on
}

lab_gone() {
    ! virsh -q domstate lab >/dev/null 2>&1 || lab_off
    rm -rf "$VM_DIR" "$STORE"
}

# lab_off, lab_on: OpenNebula defines a domain only while it runs
lab_off() {
    virsh -q destroy lab
    virsh -q undefine lab --checkpoints-metadata --snapshots-metadata
}
lab_on() { linked_define --no-agent && virsh -q start lab --paused; }

# capture K [LIVE]: the K-th backup of the chain, of a VM that runs (or with LIVE= of one that is off)
capture() {
    local live=${2-_live}
    reference "$STORE/ref.$1" "$VM_DIR"/disk.{0,1}
    DISKS='0 1' step "prebackup$live" $(($1 - 1)) || return
    cp "$VM_DIR/backup/"{disk.*,vmvault.json} "$STORE/"
    DISKS='0 1' step "postbackup$live" $(($1 - 1))
}

# restores K: what was kept of the chain up to K gives the disks as they were
restores() {
    local disk k below
    rm -rf "$STORE/chain" && mkdir "$STORE/chain"
    for disk in 0 1; do
        below=
        for ((k = 0; k <= $1; k++)); do
            cp "$STORE/disk.$disk.$k" "$STORE/chain/$disk.$k"
            [ "$k" -eq 0 ] || qemu-img rebase -u -f qcow2 -F qcow2 -b "$below" "$STORE/chain/$disk.$k" || return
            qemu-img check -q "$STORE/chain/$disk.$k" || return
            below=$STORE/chain/$disk.$k
        done
        same_disk "$STORE/ref.$1/disk.$disk" "$below" || { echo "disk $disk differs" >&2; return 1; }
    done
}

# stock_capture K [LIVE]: the same by OpenNebula's own driver
stock_capture() {
    local live=${2-_live}
    reference "$STORE/ref.$1" "$VM_DIR"/disk.{0,1}
    stock "prebackup$live" $(($1 - 1)) || return
    cp "$VM_DIR/backup/"disk.* "$STORE/"
    stock "postbackup$live" $(($1 - 1))
}
# stock ACTION PARENT
stock() { "$FIXTURES/stock" "$1" "$VM_DIR" $VM_ID lab "$2" "${INCREMENT_MODE:-CBT}" 0:vda 1:vdb; }

kinds() { jq -r '[.disks[].kind] | join(" ")' "$STORE/vmvault.json"; }
# layers DISK: its layers from the active one down, as the files say
layers() {
    qemu-img info -U --backing-chain --output=json "$(realpath "$VM_DIR/disk.$1")" | jq -r '[.[].filename | split("/")[-1]] | join(" ")'
}
