# SPDX-License-Identifier: Apache-2.0
# INCREMENT_MODE=SNAPSHOT: layers with stock's names, and yet any increment can be taken again.

load layers.bash

setup_file() {
    export INCREMENT_MODE=SNAPSHOT
    layers_start
}

teardown_file() { hypervisor_stop; }

setup() { lab_made $((32 * 1048576 + 512)); }
teardown() { lab_gone; }

# changes N: something that only the N-th increment has
changes() {
    disk_write lab 0 "write -P $((100 + $1)) $((8 + $1))M 64k"
    disk_write lab 1 "write -P $((200 + $1)) 100k 4k"
}
# offline_changes N: the same to a VM that is off
offline_changes() {
    qemu-io -c "write -P $((100 + $1)) $((8 + $1))M 64k" "$VM_DIR/disk.0" >/dev/null
    qemu-io -c "write -P $((200 + $1)) 100k 4k" "$VM_DIR/disk.1" >/dev/null
}

@test "a full and increments of a running VM, and of the same VM after a restart" {
    disk_write lab 0 'write -P 2 1M 1M'
    disk_write lab 1 'write -P 3 0 1M'
    capture 0
    [ "$(kinds)" = 'full full' ]
    [ "$(readlink "$VM_DIR/disk.0") $(readlink "$VM_DIR/disk.1")" = 'disk.0.snap/1 disk.1.snap/1' ]
    disk_write lab 0 'write -P 4 2M 64k'
    disk_write lab 0 'discard 4M 1M'
    disk_write lab 1 'write -P 5 33554432 512'
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    [ "$(jq -c '[.disks[].dirty_bytes]' "$STORE/vmvault.json")" = '[1114112,512]' ]
    disk_write lab 0 'write -P 6 2M 4k'
    disk_write lab 0 'write -z 1M 64k'
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    # qemu knows layer 0 by the name of the link, which is layer 3's now: it is only read.
    [ "$(layers 0)" = '3 2 1 0 image' ]
    changes 3
    capture 3
    [ "$(layers 0)" = '4 3 1 0 image' ]
    lab_off
    lab_on
    changes 4
    capture 4
    [ "$(kinds)" = 'increment increment' ]
    [ "$(layers 0),$(layers 1)" = '5 4 0 image,5 4 0' ]
    [ "$(cd "$VM_DIR/disk.0.snap" && echo *)" = '0 4 5' ]
    for k in 0 1 2 3 4; do restores $k; done
    clean
}

@test "an increment that the core did not get is taken again, with all that changed since" {
    capture 0
    changes 1
    capture 1
    changes 2
    capture 2
    changes 3
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    changes 4
    capture 2
    restores 2
    changes 5
    capture 3
    [ "$(kinds)" = 'increment increment' ]
    restores 3
    [ "$(wc -w <<<"$(layers 0)")" -le 6 ]
}

@test "an increment that the core does not get, again and again, of a VM that was started anew: few layers" {
    capture 0
    changes 1
    lab_off   # qemu knows the layer that has what changed since 0 by the name of the link now
    lab_on
    local n
    for n in 2 3 4 5 6; do
        changes $n
        capture 1
        restores 1
    done
    [ "$(kinds)" = 'increment increment' ]
    [ "$(wc -w <<<"$(layers 0)")" -le 6 ]
    changes 7
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    restores 2
}

@test "a VM that is off, an increment taken twice, and then it runs" {
    lab_off
    capture 0 ''
    [ "$(layers 0),$(layers 1)" = '1 0 image,1 0' ]
    offline_changes 1
    capture 1 ''
    [ "$(kinds)" = 'increment increment' ]
    offline_changes 2
    capture 1 ''
    restores 1
    offline_changes 3
    capture 2 ''
    [ "$(kinds)" = 'increment increment' ]
    restores 2
    lab_on
    changes 4
    capture 3
    [ "$(kinds)" = 'increment increment' ]
    restores 3
    [ "$(layers 1 | awk '{ print $NF }')" = 0 ]
}

@test "a VM that is off may be started while its layers are read" {
    lab_off
    capture 0 ''
    offline_changes 1
    reference "$STORE/ref.1" "$VM_DIR"/disk.{0,1}
    DISKS='0 1' step prebackup 0
    lab_on
    changes 2
    cp "$VM_DIR/backup/"disk.* "$STORE/"
    DISKS='0 1' step postbackup 0
    restores 1
    changes 3
    capture 2
    [ "$(kinds)" = 'increment increment' ]
    restores 2
}

@test "a new chain on layers that an earlier one left" {
    capture 0
    changes 1
    capture 1
    rm -r "$STORE"
    changes 2
    capture 0
    [ "$(kinds)" = 'full full' ]
    changes 3
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    restores 0
    restores 1
}

@test "a lost record: names tell what stock would do, or else the increment is whole" {
    capture 0
    rm "$VM_DIR/backup.layers"
    changes 1
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    capture 2
    rm "$VM_DIR/backup.layers"
    changes 3
    capture 2   # a second time: nothing says what came after increment 1
    [ "$(kinds)" = 'whole whole' ]
    restores 2
    changes 4
    echo '{"disks": 3' >"$VM_DIR/backup.layers"
    capture 3
    restores 3
}

@test "INCREMENT_MODE is changed in the middle of a chain: once, the increment is whole" {
    INCREMENT_MODE=CBT capture 0
    changes 1
    INCREMENT_MODE=CBT capture 1
    [ "$(kinds)" = 'increment increment' ]
    changes 2
    capture 2
    [ "$(kinds)" = 'whole whole' ]
    [[ $(jq -r .disks[0].why "$STORE/vmvault.json") == *INCREMENT_MODE=CBT* ]]
    changes 3
    capture 3
    [ "$(kinds)" = 'increment increment' ]
    [ -z "$(checkpoints)" ]
    changes 4
    INCREMENT_MODE=CBT capture 4
    [ "$(kinds)" = 'whole whole' ]
    [[ $(jq -r .disks[0].why "$STORE/vmvault.json") == *INCREMENT_MODE=SNAPSHOT* ]]
    changes 5
    INCREMENT_MODE=CBT capture 5
    [ "$(kinds)" = 'increment increment' ]
    for k in 1 2 3 4 5; do restores $k; done
}

@test "a disk that is smaller for a while: what was cut off does not come back with a merge" {
    disk_write lab 0 'write -P 5 60M 1M'
    capture 0
    virsh -q blockresize lab vda 32M
    capture 1
    restores 1
    virsh -q blockresize lab vda 64M
    disk_write lab 0 'write -P 9 40M 64k'
    lab_off   # all of its layers can be merged when it starts anew
    lab_on
    for k in 2 3 4; do
        changes $k
        capture $k
        restores $k
    done
}

@test "a disk that grows" {
    capture 0
    virsh -q blockresize lab vda 96M
    disk_write lab 0 'write -P 9 95M 1M'
    capture 1
    [ "$(kinds)" = 'increment increment' ]
    restores 1
    capture 2
    restores 2
}
