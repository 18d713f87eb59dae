# SPDX-License-Identifier: Apache-2.0
# Chains of a VM whose disks are images in Ceph: they hold what was there, and go on from OpenNebula's own.

load helper.bash

setup_file() {
    hypervisor_start
    ceph_start
    rbd create --size 64M one/one-7
    image_write one/one-7 'write -P 1 0 3M' 'write -P 2 20M 4k'
    rbd snap create --no-progress one/one-7@snap
    rbd snap protect one/one-7@snap
    rbd create --size 24M one/one-9
    image_write one/one-9 'write -P 9 0 1M'
}

teardown_file() {
    hypervisor_stop
    ceph_stop
}

setup() {
    CHAIN=$BATS_TEST_TMPDIR/chain
    DISKS='clone:one/one-7 volatile:one'
    rbd clone one/one-7@snap one/one-7-$VM_ID-0
    rbd create --size 24M $VOLATILE
}

teardown() {
    virsh -q destroy lab >/dev/null 2>&1 || true
    virsh -q undefine lab >/dev/null 2>&1 || true
    step postbackup 9
    local image
    for image in one/one-7-$VM_ID-0 $VOLATILE; do
        no_snapshots "$image"
        eventually rbd rm --no-progress "$image"   # a qemu that was killed is remembered for a while
    done
}

run_lab() {
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" rbd:one/one-7-$VM_ID-0 rbd:$VOLATILE
    virsh -q start lab --paused
}

# increment STEP PARENT: a backup that is uploaded; its references are beside
increment() {
    local own=$(($2 + 1))
    image_now one/one-7-$VM_ID-0 "$BATS_TEST_TMPDIR/ref.0.$own"
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref.1.$own"
    step "pre$1" "$2"
    keep $own
    step "post$1" "$2"
    clean
}

@test "a full and three increments of a running VM restore to the bytes, with qemu-img alone" {
    run_lab
    increment backup_live -1
    [ "$(snapshots one/one-7-$VM_ID-0)" = one_backup_0 ]
    is_protected $VOLATILE one_backup_0
    disk_write lab 0 'write -P 3 1M 128k'
    disk_write lab 0 'write -P 4 30M 4k'
    disk_write lab 1 'write -P 5 5M 4M'
    increment backup_live 0
    [ "$(result '[.disks[].kind] | unique[]')" = increment ]
    disk_write lab 0 'discard 0 1M'
    disk_write lab 0 'write -P 0 1M 64k'
    disk_write lab 1 'write -P 0 5M 1M'
    increment backup_live 1
    [ "$(snapshots one/one-7-$VM_ID-0)" = 'one_backup_1 one_backup_2' ]
    disk_write lab 1 'write -P 6 23M 1M'
    increment backup_live 2
    local n disk
    for n in 0 1 2 3; do
        for disk in 0 1; do restores $disk 0 $n "$BATS_TEST_TMPDIR/ref.$disk.$n"; done
    done
}

@test "an increment reads what has changed, and finds zeros that rbd diff calls data" {
    image_write $VOLATILE 'write -P 1 0 4k'
    increment backup -1
    # From the end of what the object had to the end of what is written: all of it differs.
    image_write $VOLATILE 'write -P 2 3M 64k'
    increment backup 0
    [ "$(result '.disks[0].read_bytes')" -eq 0 ]
    [ "$(result '.disks[1].dirty_bytes')" -gt $((3 << 20)) ]
    [ "$(result '.disks[1].read_bytes')" -le $((1 << 20)) ]
    restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"
    # Single blocks: what lies beside them is neither read nor stored.
    image_write $VOLATILE 'write -P 3 3100k 4k' 'write -P 4 0 4k' 'write -P 5 3136k 4k'
    increment backup 1
    [ "$(result '.disks[1] | .dirty_bytes == 12288 and .read_bytes == 12288')" = true ]
    restores 1 0 2 "$BATS_TEST_TMPDIR/ref.1.2"
}

@test "a powered-off VM, an upload that failed, and images that change their size" {
    export DEPLOY_ID=''
    image_write $VOLATILE 'write -P 1 0 24M'
    increment backup -1
    step prebackup 0
    step postbackup 0
    [ "$(snapshots $VOLATILE)" = 'one_backup_0 one_backup_1' ]
    image_write $VOLATILE 'write -P 2 4M 64k'
    increment backup 0
    rbd resize --no-progress --size 32M $VOLATILE
    image_write $VOLATILE 'write -P 3 30M 64k'
    increment backup 1
    rbd resize --no-progress --allow-shrink --size 6M $VOLATILE
    rbd resize --no-progress --size 20M $VOLATILE
    increment backup 2
    rbd resize --no-progress --allow-shrink --size 9M $VOLATILE
    increment backup 3
    local n
    for n in 0 1 2 3 4; do restores 1 0 $n "$BATS_TEST_TMPDIR/ref.1.$n"; done
}

@test "a full backup leaves no snapshot behind, nor those of a chain that has ended" {
    rbd snap create --no-progress $VOLATILE@one_backup
    rbd snap create --no-progress $VOLATILE@one_backup_5
    rbd snap protect $VOLATILE@one_backup_5
    rbd snap create --no-progress $VOLATILE@mine
    image_write $VOLATILE 'write -P 1 1M 1M'
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref"
    step prebackup -1 NONE FULL
    [ "$(snapshots $VOLATILE)" = 'mine one_backup' ]
    keep 0
    step postbackup -1 NONE FULL
    eventually clean   # the end of a backup does not wait long for a cluster that is slow
    [ "$(snapshots $VOLATILE)" = mine ]
    restores 1 0 0 "$BATS_TEST_TMPDIR/ref"
    VMVAULT_EXPORT=copy step prebackup -1 NONE FULL
    [ "$(snapshots $VOLATILE)" = mine ]
    cmp "$CHAIN/disk.1.0" "$VM_DIR/backup/disk.1.0"
    step postbackup -1 NONE FULL
    clean
}

@test "a chain that OpenNebula's own driver began goes on" {
    local image disk=0
    mkdir "$CHAIN"
    for image in one/one-7-$VM_ID-0 $VOLATILE; do
        rbd snap create --no-progress "$image@one_backup_0"
        rbd snap protect "$image@one_backup_0"
        qemu-img convert -O qcow2 "rbd:$image@one_backup_0:conf=$CEPH_CONF" "$CHAIN/disk.$((disk++)).0"
    done
    image_write $VOLATILE 'write -P 8 7M 300k'
    increment backup 0
    [ "$(result '.disks[1].kind')" = increment ]
    restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"
    is_protected $VOLATILE one_backup_1
}

# stock_increment IMAGE DISK PARENT: as OpenNebula's own driver takes it (contract 3.4), in CHAIN
stock_increment() {
    local own=$(($3 + 1)) offset length exists file=$CHAIN/disk.$2.$(($3 + 1)) part=$BATS_TEST_TMPDIR/part
    rbd snap create --no-progress "$1@one_backup_$own"
    rbd snap protect "$1@one_backup_$own"
    image_now "$1@one_backup_$own" "$BATS_TEST_TMPDIR/ref.$2.$own"
    qemu-img create -q -f qcow2 -F raw -b "rbd:$1@one_backup_$3:conf=$CEPH_CONF" "$file"
    rbd diff --format json --from-snap "one_backup_$3" "$1@one_backup_$own" |
        jq -r '.[] | "\(.offset) \(.length) \(.exists)"' >"$BATS_TEST_TMPDIR/changes"
    while read -r offset length exists; do
        if [ "$exists" = true ]; then
            dd if="$BATS_TEST_TMPDIR/ref.$2.$own" of="$part" bs=1M iflag=skip_bytes,count_bytes skip="$offset" count="$length" status=none
            qemu-io -f qcow2 -c "write -q -s $part $offset $length" "$file"
        else
            qemu-io -f qcow2 -c "write -q -z $offset $length" "$file"
        fi
    done <"$BATS_TEST_TMPDIR/changes"
    qemu-img rebase -u -f qcow2 -b '' "$file"
}

@test "OpenNebula's own driver goes on with a chain of ours, and we with its increment" {
    export DEPLOY_ID=''
    local n
    image_write $VOLATILE 'write -P 1 0 6M'
    increment backup -1
    image_write $VOLATILE 'write -P 2 1M 4k' 'write -P 3 5M 4k'
    increment backup 0
    image_write $VOLATILE 'write -P 4 1028k 4k' 'discard 4M 1M'
    stock_increment one/one-7-$VM_ID-0 0 1
    stock_increment $VOLATILE 1 1
    image_write $VOLATILE 'write -P 5 1032k 4k' 'write -P 6 4M 4k'
    increment backup 2
    [ "$(result '.disks[1] | .kind == "increment" and .read_bytes == 8192')" = true ]
    [ "$(snapshots $VOLATILE)" = 'one_backup_2 one_backup_3' ]
    for n in 0 1 2 3; do restores 1 0 $n "$BATS_TEST_TMPDIR/ref.1.$n"; done
}

@test "without the parent's snapshot the increment is whole, and says why" {
    image_write $VOLATILE 'write -P 1 0 2M'
    increment backup -1
    rbd snap unprotect $VOLATILE@one_backup_0
    rbd snap rm --no-progress $VOLATILE@one_backup_0
    image_write $VOLATILE 'discard 1M 1M' 'write -P 5 9M 4k'
    increment backup 0
    [ "$(result '.disks[1].kind')" = whole ]
    [[ $(result '.disks[1].why') == "the snapshot one_backup_0 of $VOLATILE is not there" ]]
    [ "$(result '.disks[0].kind')" = increment ]
    restores 1 0 1 "$BATS_TEST_TMPDIR/ref.1.1"
}

# off PARENT [CAPTURE LAST_CAPTURE]: an increment of the only disk, while the VM is off
off() {
    CAPTURE=${2:-} LAST_CAPTURE=${3-none} step prebackup "$1"
    keep $(($1 + 1))
    step postbackup "$1"
    image_now "$DISKS" "$BATS_TEST_TMPDIR/ref.$(($1 + 1))"
}

# is_whole INCREMENT: since the snapshot of its parent was another backup's, and it restores to the bytes
is_whole() {
    [ "$(result '.disks[0].kind')" = whole ]
    [ "$(result '.disks[0].why')" = "the snapshot one_backup_$(($1 - 1)) of $DISKS is that of another backup" ]
    restores 0 0 "$1" "$BATS_TEST_TMPDIR/ref.$1"
}

@test "a snapshot that only has the name of the parent's: the increment is whole, and the one after it is not" {
    local DEPLOY_ID='' DISKS
    for DISKS in one/one-31 one/one-30; do   # each with a chain
        rbd create --size 16M $DISKS
        image_write $DISKS "write -P ${DISKS: -1} 0 1M"
        rm -rf "$CHAIN"
        [ $DISKS = one/one-30 ] || local VM_ID=78
        off -1
        image_write $DISKS "write -P 7 ${DISKS: -1}M 64k"
        off 0
        [ "$(result '.disks[0].kind')" = increment ]
        VM_ID=77
    done
    rbd rename one/one-30 one/one-32
    rbd rename one/one-31 one/one-30
    image_write one/one-30 'write -P 8 5M 64k'
    off 1
    is_whole 2
    image_write one/one-30 'write -P 9 6M 64k'
    off 2
    [ "$(result '.disks[0] | .kind == "increment" and .read_bytes == 65536')" = true ]
    restores 0 0 3 "$BATS_TEST_TMPDIR/ref.3"
    # Nothing is noted of snapshots that are gone.
    [ "$(rbd image-meta list --format json one/one-30 | jq -r 'keys[]' | xargs)" = 'vmvault.one_backup_2 vmvault.one_backup_3' ]
}

@test "an older copy of an image with its snapshots: the increment is whole" {
    local DEPLOY_ID='' DISKS=one/one-33 n
    rbd create --size 16M one/one-33
    for n in 0 1; do   # two chains
        image_write one/one-33 "write -P 1$n 0 1M"
        rm -rf "$CHAIN"
        off -1
        image_write one/one-33 "write -P 2$n 3M 64k"
        off 0
        [ $n -eq 1 ] || rbd deep cp --no-progress one/one-33 one/one-34
    done
    rbd rename one/one-33 one/one-35
    rbd rename one/one-34 one/one-33
    off 1
    is_whole 2
}

@test "the snapshot of a backup that failed, or of another vmvault's: the increment is whole" {
    local DEPLOY_ID='' DISKS=one/one-36
    rbd create --size 16M one/one-36
    image_write one/one-36 'write -P 1 0 1M'
    off -1 aa
    mv "$CHAIN" "$BATS_TEST_TMPDIR/good"
    image_write one/one-36 'write -P 2 0 64k'
    off -1 bb
    rm -r "$CHAIN"
    mv "$BATS_TEST_TMPDIR/good" "$CHAIN"
    off 0 cc aa
    is_whole 1
    image_write one/one-36 'write -P 3 1M 64k'
    off 1 dd cc
    [ "$(result '.disks[0].kind')" = increment ]
    restores 0 0 2 "$BATS_TEST_TMPDIR/ref.2"
}
