# SPDX-License-Identifier: Apache-2.0
# A full and three increments of two disks: each restores to what the disks were at that moment.

load helper.bash

# Two clusters less a bit: the end of a disk need not be the end of a cluster.
setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 base.qcow2 150M
    qemu-io -c 'write -P 1 0 5M' -c 'write -P 2 149M 1M' base.qcow2 >/dev/null
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 a.qcow2
    qemu-img create -q -f qcow2 b.qcow2 $((64 * 1048576 + 1536))
    paused_start chain a.qcow2 b.qcow2

    disk_write chain 0 'write -P 3 3M 3M'
    disk_write chain 1 'write -P 4 0 1M'
    next 0
    disk_write chain 0 'write -P 5 4M 64k'
    disk_write chain 0 'write -P 6 100M 300k'
    disk_write chain 1 'write -P 7 67108864 1536'
    next 1
    disk_write chain 0 'discard 3M 1M'
    disk_write chain 0 'write -z 100M 64k'
    next 2
    disk_write chain 0 'write -P 8 4M 4k'
    virsh -q destroy chain
    next 3
    image=$(image_of chain)
    export image
}

# next K: the reference of the K-th backup, and the backup
next() {
    reference "ref$1" a.qcow2 b.qcow2
    "$BUILD/drivers/cli/vmvault" backup chain
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }

restores() {   # restores K
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to" --increment "$1"
    same_disk "ref$1/a.qcow2" "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
    same_disk "ref$1/b.qcow2" "$BATS_TEST_TMPDIR/to/disk.1.qcow2"
    qemu-img check -q "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
}

@test "the full restores to the disks at that moment" { restores 0; }
@test "increment 1 restores to the disks at that moment" { restores 1; }
@test "increment 2, with discarded and zeroed clusters, restores to the disks at that moment" { restores 2; }
@test "increment 3, taken after a power cut, restores to the disks at that moment" { restores 3; }

@test "the references differ, so that a wrong restore would be seen" {
    run ! same_disk ref0/a.qcow2 ref1/a.qcow2
    run ! same_disk ref1/a.qcow2 ref2/a.qcow2
    run ! same_disk ref2/a.qcow2 ref3/a.qcow2
    run ! same_disk ref0/b.qcow2 ref1/b.qcow2
}

@test "an increment holds what changed, and no more" {
    run -0 jq -r '.increments[1].disks[] | "\(.kind) \(.dirty_bytes)"' <(vmvault show "$image" --json)
    [ "$output" = $'increment 393216\nincrement 1536' ]
}

@test "without --increment the last one is restored, and one disk alone if so asked" {
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to" --disk 1
    same_disk ref3/b.qcow2 "$BATS_TEST_TMPDIR/to/disk.1.qcow2"
    [ "$(ls "$BATS_TEST_TMPDIR/to")" = disk.1.qcow2 ]
}

@test "a snapshot of it that no image knows is collected, that of another machine is not" {
    local repository=("$VMVAULT_VAR"/repo/*) dir=$BATS_TEST_TMPDIR/backup
    export RESTIC_PASSWORD_FILE=$VMVAULT_VAR/restic.password
    mkdir "$dir"
    virsh -q dumpxml chain >"$dir/domain.xml"
    date -u '+{"time":"%FT%TZ"}' >"$dir/vmvault.json"
    restic -q -r "${repository[0]}" backup "$dir/domain.xml" "$dir/vmvault.json"
    sed -i 's,<uuid>[^<]*,<uuid>11111111-2222-3333-4444-555555555555,' "$dir/domain.xml"
    restic -q -r "${repository[0]}" backup "$dir/domain.xml"
    failed_backup
    run -0 vmvault gc
    [ "$(grep -c ' removed$' <<<"$output")" -eq 1 ]
    [ "$(grep -c ' stays: it is of a machine with the UUID' <<<"$output")" -eq 1 ]
    [ "$(restic -q -r "${repository[0]}" snapshots --json | jq length)" -eq 5 ]
    restic -q -r "${repository[0]}" forget "$(restic -q -r "${repository[0]}" snapshots --json | jq -r "max_by(.time).id")"
    vmvault verify "$image"
}

@test "a merge that was cut off when some of it was gone already: gc leaves what it has made" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
if [[ " \$* " == *' forget '* ]]; then
    $(command -v restic) "\${@:1:\$#-2}"   # only the first
    kill -KILL "\$(cut -d' ' -f1 "$VMVAULT_VAR"/running/*.flatten)"
    exec sleep 60
fi
exec $(command -v restic) "\$@"
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 vmvault flatten "$image" --keep 2 3>&-
    failed_backup
    run -0 vmvault gc
    [[ $output == *"stays: a merge of image $image was cut off, and 'vmvault flatten $image' goes on with it" ]]
}

# From here on the oldest increments are one: what was cut off is done.
@test "flattened, what stays restores as before, and the next increment goes on" {
    run -0 --separate-stderr vmvault flatten "$image" --keep 2
    [[ $output == *'3 restore points merged into increment 2, 2 restore points left' ]]
    restores 2
    rm -r "$BATS_TEST_TMPDIR/to"
    restores 3
    rm -r "$BATS_TEST_TMPDIR/to"
    run -0 jq -c '[.increments[] | [.id, .type]], [.increments[0].disks[] | .kind]' <(vmvault show "$image" --json)
    [ "$output" = $'[[2,"FULL"],[3,"INCREMENT"]]\n["full","full"]' ]
    next 4
    restores 4
    [ "$(image_of chain)" = "$image" ]
}

@test "the restored domain.xml is the domain on the restored disks" {
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    guest_remove chain
    virsh -q define "$BATS_TEST_TMPDIR/to/domain.xml"
    run -0 virsh -q domblklist chain
    [[ $output == *"vda"*"$BATS_TEST_TMPDIR/to/disk.0.qcow2"*"vdb"*"$BATS_TEST_TMPDIR/to/disk.1.qcow2"* ]]
    paused_start chain
}

@test "nothing of the backups is left beside the disks" {
    untouched chain
}
