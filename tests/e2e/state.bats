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
    [[ $stderr == *"'vmvault adopt'"* ]]
    vmvault adopt
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

@test "with a wrong password an image is not half deleted" {
    vmvault backup state
    cp "$VMVAULT_VAR/restic.password" password
    echo wrong >"$VMVAULT_VAR/restic.password"
    run -1 --separate-stderr vmvault delete 1
    [[ $stderr == 'vmvault: cannot delete image 1, which is as it was: '*password* ]]
    cp password "$VMVAULT_VAR/restic.password"
    [ "$(vmvault list --json | jq -r '.[0].state')" = READY ]
    run -0 --separate-stderr vmvault backup state
    [[ $output == 'image 1, increment 1: increment of '* ]]
    vmvault delete 1
    [ "$(vmvault list --json)" = '[]' ]
}

# copied: all but the repositories is in ./copy; put_back: it is the state again
copied() {
    mkdir copy
    tar -C "$VMVAULT_VAR" --one-file-system --exclude=./repo -cf - . | tar -C copy -xf -
}
put_back() {
    find "$VMVAULT_VAR" -mindepth 1 -maxdepth 1 ! -name repo -exec rm -r {} +
    cp -a copy/. "$VMVAULT_VAR"
}

stored() {
    RESTIC_PASSWORD_FILE=$VMVAULT_VAR/restic.password restic --no-cache --no-lock -q -r "$(echo "$VMVAULT_VAR"/repo/*)" \
        snapshots --json | jq -r '.[].short_id'
}

@test "a state that was copied during a backup, and is put back: what that backup has stored stays" {
    vmvault backup state
    disk_write state 0 'write -P 2 1M 1M'
    restic_waits
    "$BUILD/drivers/cli/vmvault" backup state >out 2>&1 3>&- &
    local pid=$! source
    eventually [ -e storing ]
    copied
    [ -s copy/vmm/1000000.json ]
    touch go
    wait $pid
    source=$(last 1 .source)
    put_back
    run -0 --separate-stderr vmvault backup state
    [[ $stderr == *'what it stored, if anything, stays in datastore 100'* ]]
    [[ $stderr == *"a snapshot with the tag 'vmvault-run-"*"' stays"* ]]
    [ "$(stored | wc -l)" -eq 3 ]
    stored | grep -x "$source"
    [ -z "$(find "$VMVAULT_VAR" -path '*/vmm/*' -o -name 'restic-run.*')" ]
}
