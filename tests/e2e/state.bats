# SPDX-License-Identifier: Apache-2.0
# The directory of the state after somebody has moved it, or lost a part of it.

load helper.bash

setup_file() { hypervisor_start; }
teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    VMVAULT_VAR=$BATS_TEST_TMPDIR/var
    qemu-img create -q -f qcow2 a.qcow2 64M
    paused_start state a.qcow2
    disk_write state 0 'write -P 1 0 3M'
}

teardown() {
    virsh -q destroy state
    virsh -q undefine state --checkpoints-metadata
}

@test "a chain continues in a directory that was moved, and all of it can be restored" {
    reference ref0 a.qcow2
    vmvault backup state
    mv var moved
    VMVAULT_VAR=$BATS_TEST_TMPDIR/moved
    run -1 --separate-stderr vmvault backup state
    [[ $stderr == *BASE_PATH* ]]
    sed -i 's,/var/repo<,/moved/repo<,' moved/datastores/100.xml
    disk_write state 0 'write -P 2 1M 1M'
    reference ref1 a.qcow2
    run -0 --separate-stderr vmvault backup state
    [[ $output == 'image 1, increment 1: increment of '* ]]
    local k
    for k in 0 1; do
        vmvault restore 1 --to "to$k" --increment "$k"
        same_disk "ref$k/a.qcow2" "to$k/disk.0.qcow2"
    done
    [ ! -e var ]
}

@test "an image whose repository is gone can be deleted" {
    vmvault backup state
    rm -r "$VMVAULT_VAR"/repo/*
    vmvault delete 1
    [ "$(vmvault list --json)" = '[]' ]
    run -0 --separate-stderr vmvault backup state
    [[ $output == 'image 2, increment 0: full of '* ]]
}
