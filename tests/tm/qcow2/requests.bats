# SPDX-License-Identifier: Apache-2.0
# What a capture refuses, and that it leaves nothing behind when it does.

load helper.bash

setup_file() { paused_lab 64M 1M; }

teardown_file() { hypervisor_stop; }

# refused WORDS: the last `run` failed with one plain line that holds the words, and left nothing
refused() {
    [ -z "$output" ]
    run -0 grep -vE '^(ERROR|WARN|INFO|DEBUG):' <<<"$stderr"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"$1"* ]]
    clean
    guest_is lab paused
    [ -z "$(checkpoints)" ]
}

@test "a full backup of a domain that is paused already is consistent" {
    step prebackup_live -1 NONE FULL
    run -0 jq -c '[.freeze.consistent, .disks[0].kind, .disks[0].read_bytes]' "$VM_DIR/backup/vmvault.json"
    [ "$output" = '[true,"full",1048576]' ]
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
    run -0 base64 -d "$VM_DIR/backup/vm.xml"
    [[ $output == '<VM><ID>77</ID>'* ]]
    step postbackup_live -1 NONE FULL
    clean
}

@test "an unknown domain" {
    export DEPLOY_ID=nobody
    run -1 --separate-stderr step prebackup_live -1
    refused "no domain 'nobody'"
}

@test "no libvirt" {
    LIBVIRT_DEFAULT_URI="qemu:///system?socket=$BATS_TEST_TMPDIR/none" \
        run -1 --separate-stderr step prebackup_live -1
    refused "cannot connect to libvirt at qemu:///system?socket=$BATS_TEST_TMPDIR/none"
}

@test "a disk that the VM has not" {
    run -2 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 3 lab - 77 0 < <(vm_xml -1)
    refused 3
}

@test "a disk that the domain has not" {
    export DISKS='0 1'
    run -1 --separate-stderr step prebackup_live -1
    refused "no disk 'vdb'"
}

@test "a VM directory that does not exist" {
    run -1 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR/none" 0 lab - 77 0 < <(vm_xml -1)
    refused "$VM_DIR/none"
}

@test "too few arguments" {
    run -2 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 0 < <(vm_xml -1)
    refused 'HOST:DIR DISKS DEPLOY_ID'
}

@test "malformed and hostile XML" {
    run -2 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 0 lab - 77 0 <<<'<VM><ID>77'
    refused XML
    run -2 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 0 lab - 77 0 \
        <<<'<!DOCTYPE VM [<!ENTITY x SYSTEM "file:///etc/passwd">]><VM><ID>77</ID><NAME>&x;</NAME></VM>'
    refused 'document type'
}

@test "a freeze without an agent, and the backup that goes on without it if so configured" {
    virsh -q resume lab
    run -1 --separate-stderr step prebackup_live -1 AGENT
    virsh -q suspend lab
    refused agent
    virsh -q resume lab
    VMVAULT_FS_FREEZE_FALLBACK=YES step prebackup_live -1 AGENT
    virsh -q suspend lab
    run -0 jq -c '[.freeze.consistent, .freeze.asked]' "$VM_DIR/backup/vmvault.json"
    [ "$output" = '[false,"AGENT"]' ]
    step postbackup_live -1
    virsh -q checkpoint-delete lab one-77-0
}

@test "less scratch space than the floor" {
    VMVAULT_SCRATCH_FLOOR_MB=900000000 run -1 --separate-stderr step prebackup_live -1
    refused 'less than the floor'
}

@test "a backup directory without space" {
    [ "$(id -u)" -eq 0 ] || skip 'only root can mount a small file system'
    mkdir -p "$VM_DIR/backup" "$BATS_TEST_TMPDIR/remotes/etc/datastore" "$BATS_TEST_TMPDIR/small"
    rmdir "$VM_DIR/backup"
    mount -t tmpfs -o size=512k tmpfs "$BATS_TEST_TMPDIR/small"
    ln -s "$BUILD/tm" "$BATS_TEST_TMPDIR/remotes/tm"
    echo "BACKUP_BASE_PATH=$BATS_TEST_TMPDIR/small" >"$BATS_TEST_TMPDIR/remotes/etc/datastore/datastore.conf"
    VMVAULT_EXPORT=copy VMVAULT_REMOTES=$BATS_TEST_TMPDIR/remotes run -1 --separate-stderr step prebackup_live -1
    eventually umount "$BATS_TEST_TMPDIR/small"
    refused 'the backup needs'
}

@test "another tool's backup job is left alone" {
    virsh -q backup-begin lab <(echo "<domainbackup mode='pull'><server transport='unix'
        socket='$BATS_FILE_TMPDIR/other.sock'/></domainbackup>")
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == *'another tool'* ]]
    has_job
    virsh -q domjobabort lab
}

@test "a layer that another tool left in the VM's tmp is not touched" {
    mkdir "$VM_DIR/tmp"
    virsh -q snapshot-create-as lab other --disk-only --atomic --no-metadata \
        --diskspec "vda,file=$VM_DIR/tmp/other.qcow2"
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == *other.qcow2* ]]
    step postbackup_live -1
    [ -e "$VM_DIR/tmp/other.qcow2" ]
    virsh -q blockcommit lab vda --active --pivot --wait
    rm "$VM_DIR/tmp/other.qcow2"
    rmdir "$VM_DIR/tmp"
}

@test "links that somebody planted in the VM's directory lead nowhere" {
    local name out=$BATS_TEST_TMPDIR/out
    mkdir "$out"
    for name in lock log; do   # a backup cannot do without
        echo precious >"$out/$name"
        rm -f "$VM_DIR/backup.$name"
        ln -s "$out/$name" "$VM_DIR/backup.$name"
        run -1 --separate-stderr step prebackup_live -1
        refused "backup.$name"
        rm "$VM_DIR/backup.$name"
    done
    for name in marks result; do
        echo precious >"$out/$name"
        ln -sf "$out/$name" "$VM_DIR/backup.$name"
    done
    ln -s "$out" "$VM_DIR/backup"
    step prebackup_live -1
    step postbackup_live -1
    [ "$(cat "$out"/*)" = $'precious\nprecious\nprecious\nprecious' ]
    clean
    virsh -q checkpoint-delete lab one-77-0
}

@test "two disks of a VM that is off that are the same image are refused by their names" {
    local VM_DIR=$BATS_TEST_TMPDIR/vm
    mkdir "$VM_DIR"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.0" 1M
    ln -s disk.0 "$VM_DIR/disk.1"
    DEPLOY_ID=off DISKS='0 1' run -1 --separate-stderr step prebackup -1
    refused "disks 'vda' and 'vdb' are the same image '$VM_DIR/disk.0'"
    run -0 qemu-img info --output=json "$VM_DIR/disk.0"
    [ "$(jq '."format-specific".data.bitmaps' <<<"$output")" = null ]
    DEPLOY_ID=off DISKS='0 1' step prebackup -1 NONE FULL
    DEPLOY_ID=off DISKS='0 1' step postbackup -1 NONE FULL
    clean
}
