# SPDX-License-Identifier: Apache-2.0
# Two domains at once are no matter; two backups of one domain are refused.

load helper.bash

setup_file() { hypervisor_start; }
teardown_file() { hypervisor_stop; }
setup() { cd "$BATS_TEST_TMPDIR"; }
teardown() { for name in one two; do guest_remove "$name" || true; done; }

@test "two domains are backed up at the same time" {
    for name in one two; do
        qemu-img create -q -f qcow2 $name.qcow2 100M
        paused_start $name $name.qcow2
        disk_write $name 0 "write -P ${#name} 0 40M"
    done
    disk_write two 0 'write -P 99 50M 1M'
    vmvault backup one >one.out 2>&1 3>&- &
    first=$!
    vmvault backup two >two.out 2>&1 3>&- &
    second=$!
    wait $first || { cat one.out; false; }
    wait $second || { cat two.out; false; }
    for name in one two; do
        vmvault restore "$(image_of $name)" --to to-$name
        reference ref $name.qcow2
        same_disk ref/$name.qcow2 to-$name/disk.0.qcow2
    done
}

@test "a second backup of the same domain is refused, and the first goes on" {
    qemu-img create -q -f qcow2 one.qcow2 60M
    paused_start one one.qcow2
    disk_write one 0 'write -P 1 0 60M'
    restic_waits
    vmvault backup one >one.out 2>&1 3>&- &
    first=$!
    eventually test -e "$BATS_TEST_TMPDIR/storing"
    run -1 --separate-stderr vmvault backup one
    one_line
    [[ $stderr == *"'one'"* ]]
    touch "$BATS_TEST_TMPDIR/go"
    wait $first || { cat one.out; false; }
    [ "$(vmvault show "$(image_of one)" --json | jq '.increments | length')" -eq 1 ]
}
