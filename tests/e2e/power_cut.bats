# SPDX-License-Identifier: Apache-2.0
# The power fails in the moment in which something is reported as done: what was written and not synced is
# gone.  The file system is one in a file, and nothing but a sync gets to that file at once: a copy of it is
# what would be found on the disk then.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 40M
    qemu-io -c 'write -P 1 0 3M' a.qcow2 >/dev/null
    guest_define --no-agent cut cut.console a.qcow2   # and off: that libvirtd does not see what is mounted later
}
teardown_file() { hypervisor_stop; }

setup() {
    place=$BATS_TEST_TMPDIR/place device=$BATS_TEST_TMPDIR/device
    export VMVAULT_VAR=$place/var
    mkdir "$place"
    truncate -s 512M "$device"
    mkfs.ext4 -q "$device"
    mounted 2>"$BATS_TEST_TMPDIR/why" || skip "no file system in a file: $(cat "$BATS_TEST_TMPDIR/why")"
    cd "$BATS_FILE_TMPDIR"
}
teardown() {
    if mountpoint -q "$place"; then eventually umount "$place"; fi
    "$FIXTURES/sshd" stop "$BATS_TEST_TMPDIR/sshd" 2>/dev/null || true
}

mounted() { mount -o loop,commit=300 "$device" "$place"; }

# power_cut: and the machine has booted again
power_cut() {
    echo lost >"$place/not_synced"
    cat "$device" >"$device.then"
    eventually umount "$place"
    mv "$device.then" "$device"
    mounted
    [ ! -s "$place/not_synced" ] || { echo 'this file system in a file lost nothing' >&2; return 1; }
}

# restored INCREMENT REFERENCE: is what it was
restored() {
    vmvault restore 1 --increment "$1" --to "$BATS_TEST_TMPDIR/to"
    same_disk "$2/a.qcow2" "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
    rm -r "$BATS_TEST_TMPDIR/to"
}

# backed_up K: one more backup; then the power fails
backed_up() {
    qemu-io -c "write -P $((20 + $1)) ${1}M 64k" a.qcow2 >/dev/null
    reference "$BATS_TEST_TMPDIR/ref.$1" a.qcow2
    vmvault backup cut
    power_cut
    [ "$(last 1 .id)" -eq "$1" ]
    restored "$1" "$BATS_TEST_TMPDIR/ref.$1"
}

# all_is_there: a full and two increments, each with the power gone after it, and a flatten, too
all_is_there() {
    for k in 0 1 2; do backed_up $k; done
    vmvault verify 1 --read-data
    vmvault flatten 1 --keep 2
    power_cut
    restored 1 "$BATS_TEST_TMPDIR/ref.1"
    restored 2 "$BATS_TEST_TMPDIR/ref.2"
    vmvault verify 1 --read-data
    backed_up 3
    [ "$(last 1 '.disks[].kind')" = increment ]
    run -0 vmvault status --json
    [ "$(jq '[.. | .error? // empty] | length' <<<"$output")" -eq 0 ]
}

@test "a restic repository: what was reported is there when the power has failed" {
    all_is_there
}

@test "a server with our helper: what was reported is there when the power has failed" {
    vmvault datastore add rsync "localhost:$place/server"
    VMVAULT_DATASTORE=101 all_is_there
}

@test "a server that allows SFTP alone: what was reported is there when the power has failed" {
    eval "$("$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/sshd" ForceCommand internal-sftp --owner $$)"
    vmvault datastore add rsync "backup1:$place/server"
    VMVAULT_DATASTORE=101 all_is_there
}
