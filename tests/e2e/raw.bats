# SPDX-License-Identifier: Apache-2.0
# Raw disks have no track of changes: they are whole in every backup.

load helper.bash

setup_file() { hypervisor_start; }
teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    name=raw-$BATS_TEST_NUMBER
    truncate -s 20M b.raw
    qemu-io -f raw -c 'write -P 9 1M 512k' b.raw >/dev/null
}

teardown() { guest_remove "$name"; }

@test "beside a qcow2 disk, the raw one is whole in the increment" {
    qemu-img create -q -f qcow2 a.qcow2 30M
    paused_start "$name" a.qcow2 b.raw
    vmvault backup "$name"
    image=$(image_of "$name")
    disk_write "$name" 0 'write -P 1 0 64k'
    disk_write "$name" 1 'write -P 2 2M 64k'
    reference ref a.qcow2 b.raw
    vmvault backup "$name"
    [ "$(last "$image" '[.disks[].kind] | join(" ")')" = 'increment whole' ]
    vmvault restore "$image" --to to
    same_disk ref/a.qcow2 to/disk.0.qcow2
    same_disk ref/b.raw to/disk.1.qcow2
}

@test "a domain with raw disks only gets a full each time, running or not" {
    paused_start "$name" b.raw
    vmvault backup "$name"
    first=$(image_of "$name")
    disk_write "$name" 0 'write -P 2 2M 64k'
    virsh -q destroy "$name"
    vmvault backup "$name"
    second=$(image_of "$name")
    [ "$first" -ne "$second" ]
    [ "$(last "$second" '"\(.type) \(.disks[0].kind)"')" = 'FULL full' ]
    vmvault restore "$second" --to to
    qemu-img compare -q b.raw to/disk.0.qcow2
    vmvault restore "$first" --to first
    run -1 qemu-img compare -q b.raw first/disk.0.qcow2
}

@test "a guest that writes a qcow2 header into its raw disk, at a path for a shell: bytes, and no other file" {
    # shellcheck disable=SC2016
    local dir='./-x $(touch run); `touch run` a,b=c'
    mkdir "$dir"
    mv b.raw "$dir/"
    paused_start "$name" "$dir/b.raw"
    qemu-img create -q -f qcow2 -u -F raw -b "$BATS_TEST_TMPDIR/of_another" header 20M
    dd if=header of="$dir/b.raw" conv=notrunc status=none
    vmvault backup "$name"
    first=$(image_of "$name")
    virsh -q destroy "$name"
    vmvault backup "$name"
    vmvault restore "$first" --to "$dir/live"
    vmvault restore "$(image_of "$name")" --to "$dir/off"
    for to in live off; do
        qemu-img convert -f qcow2 -O raw "$dir/$to/disk.0.qcow2" restored
        cmp "$dir/b.raw" restored
    done
    [ ! -e run ]
}
