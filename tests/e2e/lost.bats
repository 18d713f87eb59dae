# SPDX-License-Identifier: Apache-2.0
# What may happen to the track of changes between two backups.  Where it is lost the increment is
# whole and says why; in any case it restores to what the disks were.

load helper.bash

setup_file() { hypervisor_start; }

teardown_file() { hypervisor_stop; }

# A domain with a backup, and changes since.
setup() {
    cd "$BATS_TEST_TMPDIR"
    name=lost-$BATS_TEST_NUMBER
    qemu-img create -q -f qcow2 a.qcow2 64M
    qemu-img create -q -f qcow2 b.qcow2 32M
    paused_start "$name" a.qcow2 b.qcow2
    disk_write "$name" 0 'write -P 1 0 2M'
    disk_write "$name" 1 'write -P 2 1M 1M'
    vmvault backup "$name"
    image=$(image_of "$name")
    disk_write "$name" 0 'write -P 3 1M 128k'
}

teardown() { guest_remove "$name"; }

# next_is KIND_A KIND_B [REASON]: the next backup is that for the two disks, and restores right
next_is() {
    next_is_right
    [ "$(last "$image" '[.disks[].kind] | join(" ")')" = "$1 $2" ]
    [ -z "${3-}" ] || [[ $(last "$image" '[.disks[].why] | join("; ")') == *"$3"* ]]
}
next_is_right() {
    reference ref a.qcow2 b.qcow2
    run -0 vmvault backup "$name"
    vmvault restore "$image" --to to
    same_disk ref/a.qcow2 to/disk.0.qcow2
    same_disk ref/b.qcow2 to/disk.1.qcow2
    untouched "$name"
}

@test "nothing was lost" {
    next_is increment increment
}

@test "the domain was stopped and started" {
    virsh -q destroy "$name"
    paused_start "$name"
    disk_write "$name" 1 'write -P 4 0 64k'
    next_is increment increment
    [ "$(last "$image" '[.disks[].read_bytes] | add')" -eq 196608 ]   # what was written, and nothing else
}

@test "qemu was killed: the increment is whole and says why" {
    kill -KILL "$(pgrep -f "guest=$name,")"
    eventually guest_is "$name" 'shut off'
    paused_start "$name"
    next_is whole whole bitmap
    disk_write "$name" 0 'write -P 5 2M 64k'
    rm -r ref to
    next_is increment increment
}

@test "a disk grew: it is whole, and has its new size" {
    virsh -q blockresize "$name" vda 80M
    disk_write "$name" 0 'write -P 6 79M 64k'
    next_is whole increment
    [ "$(virtual_size to/disk.0.qcow2)" -eq $((80 << 20)) ]
}

@test "a disk was smaller for a while: what it lost is no hole in the increment" {
    disk_write "$name" 1 'write -P 7 31M 1M'
    vmvault backup "$name"
    virsh -q blockresize "$name" vdb 16M
    virsh -q blockresize "$name" vdb 32M
    next_is increment whole 'was smaller for a while'
    virsh -q destroy "$name"
    qemu-io -c 'write -P 8 63M 1M' a.qcow2 >/dev/null
    rm -r to
    vmvault backup "$name"
    qemu-img resize -q --shrink a.qcow2 32M
    qemu-img resize -q a.qcow2 64M
    vmvault backup "$name"
    [ "$(last "$image" '[.disks[].kind] | join(" ")')" = 'whole increment' ]
    vmvault restore "$image" --to to
    same_disk a.qcow2 to/disk.0.qcow2
}

@test "a disk was smaller for a while, and as much was written beside what it lost" {
    disk_write "$name" 0 'write -P 7 41024k 64k'
    vmvault backup "$name"
    virsh -q blockresize "$name" vda 41024k
    virsh -q blockresize "$name" vda 64M
    disk_write "$name" 0 'write -P 8 41088k 64k'
    disk_write "$name" 0 'write -P 9 8M 1M'
    next_is whole increment 'was smaller for a while'
    disk_write "$name" 0 'write -P 6 41024k 64k'
    rm -r ref to
    next_is increment increment
}

# regrown MODE: the disks were smaller for a while, and their images have room for what they hold now
regrown() {
    local disk
    disk_write "$name" 0 'write -P 7 20M 8M'
    disk_write "$name" 1 'write -P 7 10M 8M'
    vmvault backup "$name"
    virsh -q destroy "$name"
    for disk in a:24:64 b:14:32; do
        IFS=: read -r disk less more <<<"$disk"
        qemu-img resize -q --shrink "$disk.qcow2" "${less}M"
        qemu-img resize -q --preallocation="$1" "$disk.qcow2" "${more}M"
    done
    next_is whole whole 'was smaller for a while'
    paused_start "$name"
    disk_write "$name" 0 'write -P 6 25M 64k'
    rm -r ref to
    next_is increment increment
}
@test "disks were smaller for a while, and grew with preallocated metadata" { regrown metadata; }
@test "disks were smaller for a while, and grew with room in the file system" { regrown falloc; }
@test "disks were smaller for a while, and grew with zeros" { regrown full; }

@test "an older copy of another chain was written over a disk" {
    disk_write "$name" 0 'write -P 7 63M 1M'
    vmvault backup "$name"
    virsh -q destroy "$name"
    cp a.qcow2 older
    paused_start "$name"
    vmvault backup "$name" --full
    image=$(image_of "$name")
    disk_write "$name" 0 'write -P 8 20M 2M'
    vmvault backup "$name"   # with the number of the one before the copy
    virsh -q destroy "$name"
    cat older >a.qcow2
    paused_start "$name"
    next_is whole increment 'an older copy'
}

# overwritten: an older copy of another chain, as long as the disk is, is written over it.  It has a bitmap of the
# number that the increment looks for.
overwritten() {
    vmvault backup "$name"
    virsh -q destroy "$name"
    cp a.qcow2 older
    vmvault backup "$name" --full
    image=$(image_of "$name")
    qemu-io -c 'write -P 8 1M 512k' a.qcow2 >/dev/null
    vmvault backup "$name"
    dd if=older of=a.qcow2 conv=notrunc status=none
}

@test "an older copy of another chain, just as long, was written over a disk; the machine is off" {
    overwritten
    next_is whole increment 'is missing'
    qemu-io -c 'write -P 9 1M 64k' a.qcow2 >/dev/null
    rm -r ref to
    next_is increment increment
}

@test "an older copy of another chain, just as long, was written over a disk; the machine runs" {
    overwritten
    paused_start "$name"
    next_is whole whole bitmap
    disk_write "$name" 0 'write -P 9 1M 64k'
    rm -r ref to
    next_is increment increment
}

# as_before: the bitmap of the last backup has the name that version 0.2 gave it
as_before() {
    local marks disk bitmap
    marks=$VMVAULT_VAR/vms/$(virsh -q domuuid "$name")/backup.marks
    bitmap=$(jq -r '.increments["0"]["0"].bitmap' "$marks")
    plain=${bitmap%-*}
    [[ $plain == one-*-0 ]]
    for disk in a b; do
        qemu-img bitmap --add -f qcow2 $disk.qcow2 "$plain"
        qemu-img bitmap --merge "$bitmap" -f qcow2 $disk.qcow2 "$plain"
        qemu-img bitmap --remove -f qcow2 $disk.qcow2 "$bitmap"
    done
    jq --arg name "$plain" '.increments["0"][] |= (.bitmap = $name | .token = "")' "$marks" >marks
    cat marks >"$marks"
}

@test "the chain was begun by an older version, the machine is off" {
    virsh -q destroy "$name"
    as_before
    next_is increment increment
}

@test "the chain was begun by an older version, the machine runs" {
    virsh -q destroy "$name"
    as_before
    paused_start "$name"
    disk_write "$name" 0 'write -P 9 3M 64k'
    next_is increment increment
    disk_write "$name" 0 'write -P 10 4M 64k'
    rm -r ref to
    next_is increment increment
    run -0 virsh -q checkpoint-list "$name" --name
    [[ $output == *-1-* && $output == *-2-* ]]
    [[ " ${output//$'\n'/ } " != *" $plain "* ]]
}

# another_as_well START: two vmvaults back up the machine while it is off; then START, and increments.  Of both it
# is the first machine.
another_as_well() {
    local var
    python3 -c 'import os; os.setxattr("a.qcow2", "user.test", b"")' || skip 'this file system has no attributes'
    virsh -q destroy "$name"
    for var in one other; do
        qemu-io -c "write -P 7 ${#var}M 64k" a.qcow2 >/dev/null
        VMVAULT_VAR=$PWD/$var vmvault backup "$name"
    done
    "$@"
    VMVAULT_VAR=$PWD/one image=1 next_is whole whole 'another vmvault'
    rm -r ref to
    VMVAULT_VAR=$PWD/other image=1 next_is_right
}

@test "another vmvault backs up the same machine, which is off: each has what changed since its own backup" {
    another_as_well qemu-io -c 'write -P 8 7M 64k' a.qcow2
}

@test "another vmvault backs up the same machine, which runs now: each has what changed since its own backup" {
    another_as_well paused_start "$name"
}

@test "layers that others made were merged: what was written to them is in the increment" {
    virsh -q snapshot-create-as "$name" s --disk-only --no-metadata --diskspec vda,file="$PWD/a.layer" \
        --diskspec vdb,snapshot=no
    disk_write "$name" 0 'write -P 7 5M 128k'
    virsh -q blockcommit "$name" vda --active --pivot --wait
    virsh -q destroy "$name"
    qemu-img create -q -f qcow2 -b "$PWD/a.qcow2" -F qcow2 a.other
    qemu-io -c 'write -P 8 6M 128k' a.other >/dev/null
    qemu-img commit -q a.other
    paused_start "$name"
    disk_write "$name" 0 'write -P 9 7M 128k'
    next_is increment increment
}

@test "a disk was copied to another file, and back" {
    virsh -q blockcopy "$name" vda "$PWD/there.qcow2" --format qcow2 --transient-job --wait --pivot
    disk_write "$name" 0 'write -P 7 5M 128k'
    virsh -q blockcopy "$name" vda "$PWD/a.qcow2" --reuse-external --format qcow2 --transient-job --wait --pivot
    disk_write "$name" 0 'write -P 8 6M 128k'
    next_is increment increment
}

@test "somebody deleted the checkpoint" {
    virsh -q checkpoint-list "$name" --name | grep . | while read -r checkpoint; do
        virsh -q checkpoint-delete "$name" "$checkpoint"
    done
    next_is whole whole
}

@test "the domain was undefined and defined again: the bitmaps are still good" {
    virsh -q dumpxml "$name" --inactive >again.xml
    virsh -q destroy "$name"
    virsh -q undefine "$name" --checkpoints-metadata
    virsh -q define again.xml
    paused_start "$name"
    next_is increment increment
}

@test "a failed run left a checkpoint with the number of the next one" {
    local first stale
    first=$(virsh -q checkpoint-list "$name" --name | grep .)
    [[ $first =~ ^(one-[0-9]+)-0-[0-9a-f]+$ ]]
    for stale in "${BASH_REMATCH[1]}-1" "${BASH_REMATCH[1]}-1-0badcafe"; do
        cat >stale.xml <<XML
<domaincheckpoint><name>$stale</name><disks>
<disk name='vda' checkpoint='bitmap'/><disk name='vdb' checkpoint='bitmap'/></disks></domaincheckpoint>
XML
        virsh -q checkpoint-create "$name" stale.xml
    done
    disk_write "$name" 1 'write -P 7 2M 64k'
    next_is increment increment
    [ "$(virsh -q checkpoint-list "$name" --name | grep -c .)" -eq 2 ]
}

@test "a disk was replaced by another file" {
    virsh -q destroy "$name"
    rm b.qcow2
    qemu-img create -q -f qcow2 b.qcow2 32M
    qemu-io -c 'write -P 8 3M 64k' b.qcow2 >/dev/null
    paused_start "$name"
    next_is increment whole
}

@test "a disk got another backing file" {
    virsh -q destroy "$name"
    qemu-img create -q -f qcow2 base.qcow2 64M
    qemu-io -c 'write -P 10 60M 64k' base.qcow2 >/dev/null
    qemu-img rebase -u -b base.qcow2 -F qcow2 a.qcow2
    next_is whole increment 'another backing file'
    rm -r ref to
    next_is increment increment
}

@test "virsh took a snapshot of a machine whose last backup is of when it was off: the next backup works" {
    local checkpoint
    virsh -q destroy "$name"
    for checkpoint in $(virsh -q checkpoint-list "$name" --name); do
        virsh -q checkpoint-delete "$name" "$checkpoint" --metadata
    done
    vmvault backup "$name" --full
    paused_start "$name"
    virsh -q snapshot-create-as "$name" s1 --disk-only --no-metadata   # qemu copies the bitmaps
    disk_write "$name" 0 'write -P 8 3M 64k'
    for what in full increment; do
        run -0 vmvault backup "$name"
        reference ref-$what a.s1 b.s1
        vmvault restore "$(image_of "$name")" --to to-$what
        same_disk ref-$what/a.s1 to-$what/disk.2.qcow2
        same_disk ref-$what/b.s1 to-$what/disk.3.qcow2
        [ "$(last "$(image_of "$name")" '.disks[0].kind')" = $what ]
        disk_write "$name" 1 'write -P 9 3M 64k'
    done
    untouched "$name"
}
