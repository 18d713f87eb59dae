# SPDX-License-Identifier: Apache-2.0
# OpenNebula's own driver and ours take turns at one chain; and what it leaves when it dies.

load layers.bash

setup_file() { layers_start; }

teardown_file() { hypervisor_stop; }

setup() {
    INCREMENT_MODE=CBT
    lab_made 32M
}

teardown() { lab_gone; }

# changes N: something that only the N-th increment has
changes() {
    disk_write lab 0 "write -P $((100 + $1)) $((8 + $1))M 64k"
    disk_write lab 0 "write -z $((1 + $1))M 64k"
    disk_write lab 1 "write -P $((200 + $1)) 128k 64k"
}
offline_changes() {
    qemu-io -c "write -P $((100 + $1)) $((8 + $1))M 64k" "$VM_DIR/disk.0" >/dev/null
    qemu-io -c "write -P $((200 + $1)) 128k 64k" "$VM_DIR/disk.1" >/dev/null
}
restores_all() { for ((n = 0; n <= $1; n++)); do restores $n || return; done; }

@test "a chain that stock began: the first increment of ours is whole, the next ones are not" {
    stock_capture 0
    changes 1
    capture 1
    [ "$(kinds)" = 'whole whole' ]
    changes 2
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    restores_all 2
}

@test "STOCK_PARENT=trust: it is none" {
    export VMVAULT_STOCK_PARENT=trust
    stock_capture 0
    changes 1
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    restores_all 1
}

@test "a chain of ours: stock goes on with it, and we again" {
    capture 0
    changes 1
    stock_capture 1
    changes 2
    capture 2
    [ "$(kinds)" = 'whole whole' ]
    changes 3
    capture 3
    [ "$(kinds)" = 'increment increment' ]
    changes 4
    stock_capture 4
    changes 5
    stock_capture 5
    restores_all 5
}

@test "a chain of ours and of stock, of a VM that is off" {
    lab_off
    capture 0 ''
    offline_changes 1
    stock_capture 1 ''
    offline_changes 2
    VMVAULT_STOCK_PARENT=trust capture 2 ''
    [ "$(kinds)" = 'increment increment' ]
    offline_changes 3
    stock_capture 3 ''
    lab_on
    changes 4
    VMVAULT_STOCK_PARENT=trust capture 4
    restores_all 4
}

@test "INCREMENT_MODE=SNAPSHOT: both in turns, on and off" {
    INCREMENT_MODE=SNAPSHOT
    lab_off
    stock_capture 0 ''
    offline_changes 1
    capture 1 ''
    [ "$(kinds)" = 'increment increment' ]
    offline_changes 2
    capture 2 ''
    lab_on
    changes 3
    stock_capture 3
    changes 4
    capture 4
    [ "$(kinds)" = 'increment increment' ]
    changes 5
    stock_capture 5
    lab_off
    offline_changes 6
    stock_capture 6 ''
    restores_all 6
}

@test "a full backup of stock that died: the guest is back on its disk before ours begins" {
    changes 1
    STOCK_DIES=snapshot run ! stock prebackup_live -1
    changes 2
    [[ $(virsh -q domblklist lab) == *overlay_0.qcow2* ]]
    reference "$BATS_TEST_TMPDIR/ref" "$VM_DIR/tmp/overlay_0.qcow2" "$VM_DIR/tmp/overlay_1.qcow2"
    capture 0
    for disk in 0 1; do mv "$BATS_TEST_TMPDIR/ref/overlay_$disk.qcow2" "$STORE/ref.0/disk.$disk"; done
    restores 0
    [[ $(virsh -q domblklist lab) != *overlay* ]]
    [ -z "$(virsh -q snapshot-list lab --name)" ]
    clean
    changes 3
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    restores 1
    lab_off
    same_disk "$STORE/ref.1/disk.0" "$VM_DIR/disk.0"
}

@test "recover --foreign does the same without a backup" {
    STOCK_DIES=snapshot run ! stock prebackup_live -1
    changes 1
    DISKS='0 1' vm_xml -1 | "$BUILD/tm/qcow2/recover" "localhost:$VM_DIR" 0:1 lab - $VM_ID 0 --foreign
    [[ $(virsh -q domblklist lab) != *overlay* ]]
    [ -z "$(virsh -q snapshot-list lab --name)" ]
    [ ! -e "$VM_DIR/tmp" ]
    changes 2
    capture 0
    restores 0
}

@test "an increment of stock that died: its job is ended, and ours has everything" {
    capture 0
    changes 1
    STOCK_DIES=job run ! stock prebackup_live 0
    has_job
    changes 2
    capture 1
    restores 1
    [ ! -e "$VM_DIR/backup.socket" ]
    clean
}

@test "an overlay of stock beside a VM that is off is kept, and said so" {
    STOCK_DIES=snapshot run ! stock prebackup_live -1
    changes 1
    lab_off
    run -0 --separate-stderr step prebackup -1
    [[ $stderr == *overlay_0.qcow2*'is kept'* ]]
    step postbackup -1
    [ -s "$VM_DIR/tmp/overlay_0.qcow2" ]
}

# for_stock LAST: the operator leaves the layers to stock
for_stock() {
    DISKS='0 1' vm_xml "$1" | "$BUILD/tm/qcow2/recover" "localhost:$VM_DIR" 0:1 lab - $VM_ID 0 --for-stock
}

@test "recover --for-stock: stock goes on after attempts of ours that failed" {
    INCREMENT_MODE=SNAPSHOT
    lab_off
    capture 0 ''
    lab_on
    changes 1
    capture 1
    changes 2
    capture 1   # again
    changes 3
    capture 2   # the core does not get this one
    changes 4
    for_stock 1
    [ "$(layers 0),$(layers 1)" = '2 0 image,2 0' ]
    [ "$(cd "$VM_DIR/disk.0.snap" && echo *)" = '0 2' ]
    [ ! -e "$VM_DIR/backup.journal" ]
    changes 5
    stock_capture 2
    restores_all 2
    changes 6
    capture 3
    [ "$(kinds)" = 'increment increment' ]
    restores 3
}

@test "the same with a VM that is off" {
    INCREMENT_MODE=SNAPSHOT
    lab_off
    capture 0 ''
    offline_changes 1
    capture 1 ''
    offline_changes 2
    capture 1 ''
    offline_changes 3
    capture 2 ''
    for_stock 1
    [ "$(layers 0),$(layers 1)" = '2 0 image,2 0' ]
    offline_changes 4
    stock_capture 2 ''
    restores_all 2
}

@test "recover --for-stock: a base that the running guest knows by the name of the link is none" {
    INCREMENT_MODE=SNAPSHOT
    capture 0
    changes 1
    capture 1   # the core does not get it
    changes 2
    local before
    before=$(layers 0)
    run -1 --separate-stderr for_stock 0
    [[ $stderr == *'while the VM runs: qemu knows '*'/disk.0.snap/0'*"as '$VM_DIR/disk.0', which is another file now"* ]]
    [ "$(layers 0)" = "$before" ]
    lab_off
    lab_on
    changes 3
    for_stock 0
    [ "$(layers 0),$(layers 1)" = '1 0 image,1 0' ]
    lab_off
    lab_on
    changes 4
    stock_capture 1
    restores 1
}

@test "recover --for-stock: a chain that began anew has the names that stock counts" {
    INCREMENT_MODE=SNAPSHOT
    lab_off
    capture 0 ''
    offline_changes 1
    capture 1 ''
    rm -r "$STORE"
    offline_changes 2
    capture 0 ''
    [ "$(readlink "$VM_DIR/disk.0")" = disk.0.snap/3 ]
    lab_on
    changes 3
    for_stock 0
    [ "$(readlink "$VM_DIR/disk.0") $(readlink "$VM_DIR/disk.1")" = 'disk.0.snap/1 disk.1.snap/1' ]
    changes 4
    stock_capture 1
    restores_all 1
    changes 5
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    restores 2
}
