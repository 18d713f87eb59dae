# SPDX-License-Identifier: Apache-2.0
# INCREMENT_MODE=SNAPSHOT: a disk of very many layers, and links that nobody can read: the guest goes on.

load layers.bash

setup_file() {
    export INCREMENT_MODE=SNAPSHOT
    layers_start
}

teardown_file() { hypervisor_stop; }

teardown() {
    shim_end
    lab_gone
    rm -rf "$BATS_FILE_TMPDIR/deep"
}

# deep_lab FILES: it runs; disk 0 consists of so many files
deep_lab() {
    local i dir=$BATS_FILE_TMPDIR/deep
    mkdir -p "$VM_DIR/disk.0.snap" "$dir"
    qemu-img create -q -f qcow2 "$dir/1" 64M
    for ((i = 2; i < $1; i++)); do
        qemu-img create -q -u -f qcow2 -F qcow2 -b "$dir/$((i - 1))" "$dir/$i" 64M
    done
    qemu-img create -q -u -f qcow2 -F qcow2 -b "$dir/$(($1 - 1))" "$VM_DIR/disk.0.snap/0" 64M
    ln -s disk.0.snap/0 "$VM_DIR/disk.0"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 32M
    lab_on
}

@test "a disk of more than 60 files gets no further layer" {
    deep_lab 61
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == *'disk 0 of VM 77 consists of 61 files, one on top of the other'* ]]
    [ "$(readlink "$VM_DIR/disk.0")" = disk.0.snap/0 ]
    [ "$(cd "$VM_DIR/disk.0.snap" && echo *)" = 0 ]
    clean
    lab_off
    run -1 --separate-stderr step prebackup -1
    [[ $stderr == *'consists of 61 files'* ]]
    [ "$(readlink "$VM_DIR/disk.0")" = disk.0.snap/0 ]
}

@test "a disk of 140 files: what libvirt says of it is read" {
    deep_lab 140
    INCREMENT_MODE=CBT step prebackup_live -1
    INCREMENT_MODE=CBT step postbackup_live -1
    clean
}

@test "killed before the link names the new layer, and that link cannot be read: the guest goes on, and the link is right again later" {
    lab_made 32M
    step prebackup_live -1
    step postbackup_live -1
    virsh -q resume lab
    shim_run 'backup_host begin:rename(/disk.0):before' step prebackup_live 0
    guest_is lab paused
    mv "$VM_DIR/disk.0" "$VM_DIR/hidden"
    kill -KILL "$shim_pid"
    if wait "$shim_command"; then return 1; fi
    eventually guest_is lab running
    [ "$(journal resume_owed)" = false ]
    mv "$VM_DIR/hidden" "$VM_DIR/disk.0"
    eventually clean
    [ "$(realpath "$VM_DIR/disk.0")" = "$(realpath "$(virsh -q domblklist lab | awk '$1 == "vda" { print $2 }')")" ]
    step prebackup_live 0
    step postbackup_live 0
    clean
}
