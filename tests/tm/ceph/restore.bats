# SPDX-License-Identifier: Apache-2.0
# A backup takes the place of the disks of a powered-off VM that are images in Ceph, and of one in a file.

load helper.bash
load restore.bash

setup_file() { restore_start; }
teardown_file() { restore_stop; }
setup() { restore_setup; }
teardown() { restore_teardown; }

@test "all disks, as of the last increment: images with the features that they had, and a file" {
    rbd snap create --no-progress $VOLATILE@mine
    rbd snap protect $VOLATILE@mine
    restore_vm
    all_new
    [ -z "$(snapshots $CLONE)$(snapshots $VOLATILE)" ]
    [ "$(rbd info --format json $VOLATILE | jq -c '[.order, .features]')" = '[20,["layering","exclusive-lock"]]' ]
    tidy
}

@test "one disk, as of the first increment; by the name of another driver" {
    "$BUILD/tm/ssh/restore" "localhost:$VM_DIR" $VM_ID 57 0 1
    holds 1 0
    is_old 0
    is_old 2
    tidy
}

@test "an image that is not there any more comes back, from a file as qemu writes it" {
    no_snapshots $VOLATILE
    rbd rm --no-progress $VOLATILE
    local dir=$BATS_FILE_TMPDIR/server/$VM_ID/aa0009
    mkdir "$dir"
    qemu-img convert -c -f raw -O qcow2 "$BATS_FILE_TMPDIR/ref.1.1" "$dir/disk.1.0"
    backup_image 58 0:aa0009
    "$BUILD/tm/ceph/restore" "localhost:$VM_DIR" $VM_ID 58 0 1
    holds 1 1
    tidy
}

# cp_into_ceph URL IMAGE: what OpenNebula's `cp` of an image datastore in Ceph does with our downloader: a
# stream to the bridge, which makes an image of it
cp_into_ceph() {
    local file=$BATS_TEST_TMPDIR/tmp_dst
    set -o pipefail
    REMOTES=$BUILD "$FIXTURES/downloader.sh" "$1" - | dd of="$file" bs=64k status=none
    [ "$(qemu-img info --output=json "$file" | jq -r .format)" = qcow2 ]
    qemu-img convert -O raw "$file" "$file.raw"
    rbd import --no-progress --image-format 2 "$file.raw" "$2"
    rm "$file" "$file.raw"
}

@test "as a new image: a full and an increment through cp of an image datastore in Ceph" {
    local base=$BATS_FILE_TMPDIR/server/$VM_ID
    cp_into_ceph "rsync://103//0:aa0000$base/aa0000/disk.0.0" one/one-20
    cp_into_ceph "rsync://103//0:aa0000,1:aa0001$base/aa0001/disk.1.1" one/one-21
    image_now one/one-20 "$BATS_TEST_TMPDIR/now"
    cmp "$BATS_TEST_TMPDIR/now" "$BATS_FILE_TMPDIR/ref.0.0"
    image_now one/one-21 "$BATS_TEST_TMPDIR/now"
    cmp "$BATS_TEST_TMPDIR/now" "$BATS_FILE_TMPDIR/ref.1.1"
    [ -z "$(snapshots one/one-20)$(snapshots one/one-21)" ]
    rbd rm --no-progress one/one-20
    rbd rm --no-progress one/one-21
}

@test "a VM that runs keeps its disks" {
    qemu-nbd --fork --persistent -f raw --pid-file="$BATS_TEST_TMPDIR/nbd.pid" \
        --socket="$BATS_TEST_TMPDIR/nbd" "rbd:$VOLATILE:conf=$CEPH_CONF" 3>&-
    run -1 --separate-stderr restore_vm
    local pid
    pid=$(<"$BATS_TEST_TMPDIR/nbd.pid")
    rm "$BATS_TEST_TMPDIR/nbd.pid"
    kill "$pid"
    eventually is_gone "$pid"   # it is in the way of the next one, too
    one_line "the Ceph image $VOLATILE is in use"
    all_old
    tidy
}

@test "a VM that is started while its disks are exchanged keeps them: an error, and all is as before" {
    # Without the VM's lock, which what a restore starts has, too.
    with_rbd <<SH
[ "\$1" != rename ] || [ -e '$BATS_TEST_TMPDIR/nbd.pid' ] || (
    for fd in {3..30}; do eval "exec \$fd>&-"; done
    qemu-nbd --fork --persistent -f raw --pid-file='$BATS_TEST_TMPDIR/nbd.pid' \\
        --socket='$BATS_TEST_TMPDIR/nbd' 'rbd:$VOLATILE:conf=$CEPH_CONF' >/dev/null 2>&1
)
exec "\$RBD" "\$@"
SH
    run -1 --separate-stderr restore_vm
    PATH=${PATH#"$BIN":}
    local pid
    pid=$(<"$BATS_TEST_TMPDIR/nbd.pid")
    rm "$BATS_TEST_TMPDIR/nbd.pid"
    kill "$pid"
    eventually is_gone "$pid"
    one_line "the Ceph image $VOLATILE is in use"
    all_old
    tidy
}

@test "a disk that does not come whole, or is not written as it came: all stay as they were" {
    local file=$BATS_FILE_TMPDIR/server/$VM_ID/aa0001/disk.1.1
    mv "$file" "$BATS_TEST_TMPDIR/whole"
    head -c 500000 "$BATS_TEST_TMPDIR/whole" >"$file"
    run -1 --separate-stderr restore_vm
    mv "$BATS_TEST_TMPDIR/whole" "$file"
    one_line 'Error restoring VM disks: '
    all_old
    tidy
    with_rbd <<SH
"\$RBD" "\$@" || exit
[ "\$1" != import-diff ] || qemu-io -f raw -c 'write -q -P 8 9M 4k' "rbd:\${!#}:conf=$CEPH_CONF"
SH
    run -1 --separate-stderr restore_vm
    one_line 'does not hold what was written to it'
    PATH=${PATH#"$BIN":}
    all_old
    tidy
}

@test "restore_host is killed while an image is renamed: the old ones are back" {
    killed_at 2
    all_old
    tidy
}

@test "all of it is killed: the VM lacks a disk until somebody looks, and then has the old ones" {
    FRONT=yes killed_at 3
    run ! rbd info $CLONE
    eventually looked   # the lock goes with the last of them
    restore_vm -1 2   # removes what is left
    tidy
}

@test "a rename that was cut off in the cluster leaves no image with two names" {
    # As it is after the first step of a rename, and before its last one.
    rados -p one cp rbd_id.one-sys-77-1 rbd_id.one-sys-77-1.vmvault-old-0badcafe
    rbd create --size 1M one/one-7-77-0.vmvault-new-0badcafe
    rbd mv $CLONE $CLONE.vmvault-old-0badcafe
    rados -p one cp rbd_id.one-7-77-0.vmvault-old-0badcafe rbd_id.one-7-77-0
    cat >"$VM_DIR/restore.journal" <<JSON
{"version": 1, "vm": $VM_ID, "phase": "swapping", "places": [
$(for image in $CLONE $VOLATILE; do echo "{\"image\": \"$image\", \"user\": \"libvirt\",
\"conf\": \"$CEPH_CONF\", \"key_file\": \"\", \"tag\": \"0badcafe\", \"had\": true},"; done | sed '$s/,$//')]}
JSON
    restore_vm
    all_new
    [ "$(rados -p one ls | grep -c 'rbd_id.*77')" -eq 2 ]
    tidy
}

@test "old images whose removal fails, or takes hours: the VM is restored, and they go later" {
    # Who removes them has all the time that it takes; who exchanges them has not.
    with_rbd <<SH
if [ "\$1" = rm ]; then
    tr '\\0' ' ' </proc/\$PPID/cmdline >>'$BATS_TEST_TMPDIR/removers'
    exit 5
fi
exec "\$RBD" "\$@"
SH
    run -0 --separate-stderr restore_vm
    [[ $stderr == *'the disks are restored, and the old ones are still there on localhost until the next backup or restore of the VM: '* ]]
    [[ $(<"$BATS_TEST_TMPDIR/removers") == *'restore_host end '* ]]
    run ! grep swap "$BATS_TEST_TMPDIR/removers"
    PATH=${PATH#"$BIN":}
    all_new
    [ "$(rbd ls one | grep -c vmvault-old)" -eq 2 ]
    "$BUILD/tm/host/backup_host" recover --all
    all_new
    tidy
}

@test "an old image with clones stays, under another name" {
    rbd snap create --no-progress $VOLATILE@kept
    rbd snap protect $VOLATILE@kept
    rbd clone $VOLATILE@kept one/child
    run -0 --separate-stderr restore_vm -1 1
    [[ $stderr == *"has clones, so it stays"* ]]
    holds 1 1
    local old
    old=one/$(rbd ls one | grep vmvault-old)
    rbd rm --no-progress one/child
    no_snapshots "$old"
    rbd rm --no-progress "$old"
    tidy
}

@test "a cluster that stops in the middle: an error in time, and the next restore works" {
    printf 'CEPH_DEADLINE=3\n' >"$BATS_TEST_TMPDIR/host.conf"
    with_rbd <<SH
[ "\$1" != rename ] || '$FIXTURES/ceph' osd '$BATS_FILE_TMPDIR/ceph' STOP
exec "\$RBD" "\$@"
SH
    run -1 --separate-stderr restore_vm -1 1
    PATH=${PATH#"$BIN":}
    osd CONT
    one_line 'Error restoring VM disks: '
    printf 'CEPH_DEADLINE=60\n' >"$BATS_TEST_TMPDIR/host.conf"
    "$BUILD/tm/host/backup_host" recover --all
    is_old 1
    restore_vm -1 1
    holds 1 1
    tidy
}

@test "a pool that is full: an error in time, all old ones are there, and the next restore works" {
    printf 'CEPH_DEADLINE=4\n' >"$BATS_TEST_TMPDIR/host.conf"
    touch "$BATS_TEST_TMPDIR/full"
    full_at 0.00001 0.00002 0.00003
    eventually is_full
    run -1 --separate-stderr restore_vm
    full_at 0.85 0.9 0.95
    eventually is_not_full
    one_line 'Error restoring VM disks: '
    printf 'CEPH_DEADLINE=60\n' >"$BATS_TEST_TMPDIR/host.conf"
    "$BUILD/tm/host/backup_host" recover --all
    all_old
    restore_vm
    all_new
    tidy
}
