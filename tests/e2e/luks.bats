# SPDX-License-Identifier: Apache-2.0
# Disks that libvirt has encrypted (LUKS): what a restore hands out is what was captured, and says so.

load helper.bash

PASS="--object secret,id=s,data=pass"

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    KEY=$(cat /proc/sys/kernel/random/uuid)
    export KEY
    echo "<secret ephemeral='no' private='no'><uuid>$KEY</uuid></secret>" >secret.xml
    virsh -q secret-define secret.xml
    virsh -q secret-set-value "$KEY" "$(printf pass | base64)" 2>/dev/null
}
teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    name=luks-$BATS_TEST_NUMBER
}
teardown() { guest_remove "$name"; }

# raw_luks FILE, qcow2_luks FILE: 16 MiB, of which the second one is 0x5a.  qemu-img measures how fast it derives a
# key, and fails where it had no processor meanwhile (Unable to get accurate CPU usage).
# shellcheck disable=SC2086 # words
raw_luks() {
    eventually qemu-img create -q -f luks $PASS -o key-secret=s,iter-time=10 "$1" 16M
    qemu-io $PASS --image-opts -c 'write -P 0x5a 1M 1M' "driver=luks,key-secret=s,file.filename=$1" >/dev/null
}
# shellcheck disable=SC2086
qcow2_luks() {
    eventually qemu-img create -q -f qcow2 $PASS -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 "$1" 16M
    qemu-io $PASS --image-opts -c 'write -P 0x5a 1M 1M' "driver=qcow2,encrypt.key-secret=s,file.filename=$1" >/dev/null
}

# encrypted_define FILE: the machine, whose disk it is
encrypted_define() {
    "$FIXTURES/domain" --guest "$GUEST" --no-agent "$name" console "$1" |
        sed "s,type='luks',type='raw',
             s,<target dev='vda',<encryption format='luks'><secret type='passphrase' uuid='$KEY'/></encryption>&," |
        virsh -q define /dev/stdin
}

# has_disk: the machine that is defined now starts, and its guest would read 0x5a where that was written
has_disk() {
    virsh -q start "$name" --paused
    disk_write "$name" 0 'read -P 0x5a 1M 1M'
    disk_write "$name" 0 'read -P 0 4M 1M'
    virsh -q destroy "$name"
}

# restored_machine DIR: defined in the place of the one that there was
restored_machine() {
    guest_remove "$name"
    virsh -q define "$1/domain.xml"
}

@test "a raw disk of a machine that is off: the restored one is encrypted as it was, and the machine reads it" {
    raw_luks l.luks
    encrypted_define l.luks
    run -0 --separate-stderr vmvault backup "$name"
    [[ $stderr != *encrypted* ]]
    vmvault restore "$(image_of "$name")" --to to
    cmp l.luks to/disk.0.raw
    [ "$(ls -A to)" = $'disk.0.raw\ndomain.xml' ]
    restored_machine to
    rm l.luks
    has_disk
}

@test "a raw disk of a machine that runs: a warning says how it is stored, and the restored domain is not encrypted" {
    raw_luks l.luks
    encrypted_define l.luks
    virsh -q start "$name" --paused
    run -0 --separate-stderr vmvault backup "$name"
    [ "$(grep -c "warning: .*disk 'vda' is encrypted on this host, and is stored as the guest sees it" <<<"$stderr")" -eq 1 ]
    vmvault restore "$(image_of "$name")" --to to
    qemu-io -f qcow2 -c 'read -P 0x5a 1M 1M' to/disk.0.qcow2
    run -1 grep encryption to/domain.xml
    restored_machine to
    rm l.luks
    has_disk
}

@test "a qcow2 disk: its increments are as the guest sees it, and the machine that is off is told to run" {
    qcow2_luks l.qcow2
    encrypted_define l.qcow2
    cp l.qcow2 before
    run -1 --separate-stderr vmvault backup "$name"
    one_line
    [[ $stderr == *"disk 0 (vda) of VM "*" is encrypted within its qcow2 file, and only its guest's qemu has the key: back the VM up while it runs"* ]]
    cmp before l.qcow2
    untouched "$name"
    virsh -q start "$name" --paused
    for byte in 3 4; do
        disk_write "$name" 0 "write -P $byte 3M 1M"
        run -0 --separate-stderr vmvault backup "$name"
        [ "$(grep -c "disk 'vda' is encrypted on this host" <<<"$stderr")" -eq 1 ]
    done
    image=$(image_of "$name")
    [ "$(last "$image" '.disks[0].kind')" = increment ]
    virsh -q destroy "$name"
    run -1 --separate-stderr vmvault backup "$name"
    [[ $stderr == *'back the VM up while it runs'* ]]
    vmvault restore "$image" --to to
    qemu-io -f qcow2 -c 'read -P 4 3M 1M' to/disk.0.qcow2
    restored_machine to
    rm l.qcow2
    has_disk
}

@test "a restore of a raw disk stops at what is there" {
    raw_luks l.luks
    encrypted_define l.luks
    vmvault backup "$name"
    mkdir to
    echo mine >to/disk.0.raw
    run -1 --separate-stderr vmvault restore "$(image_of "$name")" --to to
    one_line
    [[ $stderr == *"there is already '$PWD/to/disk.0.raw'"* ]]
    [ "$(ls -A to)" = disk.0.raw ] && [ "$(cat to/disk.0.raw)" = mine ]
}
