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

@test "an encrypted disk gets no layer, which would be without its key" {
    local key
    key=$(</proc/sys/kernel/random/uuid)
    cd "$BATS_TEST_TMPDIR"
    echo "<secret ephemeral='no' private='no'><uuid>$key</uuid></secret>" >secret.xml
    virsh -q secret-define secret.xml
    virsh -q secret-set-value "$key" "$(printf pass | base64)" 2>/dev/null
    mkdir -p "$VM_DIR"
    # It measures how fast it derives a key, and fails where it had no processor meanwhile.
    eventually qemu-img create -q -f qcow2 --object secret,id=s,data=pass \
        -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$VM_DIR/disk.0" 16M
    "$FIXTURES/domain" --guest "$GUEST" --no-agent lab console "$VM_DIR/disk.0" |
        sed "s,<target dev='vda',<encryption format='luks'><secret type='passphrase' uuid='$key'/></encryption>&," |
        virsh -q define /dev/stdin
    virsh -q start lab --paused
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == *'disk 0 of VM 77 is encrypted: INCREMENT_MODE=SNAPSHOT cannot be used with it, use CBT'* ]]
    [[ $(virsh -q domblklist lab) == *" $VM_DIR/disk.0" ]]
    [ "$(cd "$VM_DIR" && echo disk.*)" = disk.0 ]
    clean
    lab_off
    run -1 --separate-stderr step prebackup -1
    [[ $stderr == *'is encrypted: INCREMENT_MODE=SNAPSHOT'* ]]
    [ "$(cd "$VM_DIR" && echo disk.*)" = disk.0 ]
    virsh -q secret-undefine "$key"
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
