# SPDX-License-Identifier: Apache-2.0
# Flattens have merged points that an older copy of the state, put back, still knows one by one.  What is stored
# restores, and is right; a point that was merged away is refused, and not taken for damaged.

load helper.bash

# The points are 0 to 4; once.* is what there is when 0 to 2 were merged, twice.* when 3 was merged with that.
setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 40M
    paused_start older a.qcow2
    disk_write older 0 'write -P 9 0 6M'
    for n in 0 1 2 3 4; do
        disk_write older 0 "write -P 1$n ${n}M 64k"
        reference "ref$n" a.qcow2
        vmvault backup older
    done
    image=$(image_of older)
    repo=$(echo "$VMVAULT_VAR"/repo/*)
    export image repo
    cp "$VMVAULT_VAR/state.db" older.db
    mkdir once twice
    vmvault flatten "$image" --keep 3
    cp -r "$repo" once/repo
    cp "$VMVAULT_VAR/state.db" once/state.db
    vmvault flatten "$image" --keep 2
    cp -r "$repo" twice/repo
}

teardown_file() { hypervisor_stop; }

# state WHAT REPOSITORY: put back
state() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf "$repo" "$VMVAULT_VAR"/state.db-*
    cp -r "$2/repo" "$repo"
    cp "$1" "$VMVAULT_VAR/state.db"
}

# restores N...: to what the disk was
restores() {
    local n
    for n; do
        rm -rf to
        vmvault restore "$image" --increment "$n" --to to
        same_disk "ref$n/a.qcow2" to/disk.0.qcow2
    done
}

# refuses N...: nothing is written
refuses() {
    local n
    for n; do
        run -1 --separate-stderr vmvault restore "$image" --increment "$n" --to "$BATS_TEST_TMPDIR/none"
        one_line
        [[ $stderr == *' has no snapshot '*' any more: a flatten has merged it into a later increment, '* ]]
        [ ! -e "$BATS_TEST_TMPDIR/none" ]
        run -1 --separate-stderr vmvault verify "$image" --increment "$n"
        [[ $stderr == *'a flatten has merged it into a later increment'* ]]
    done
}

damages() { vmvault show "$image" --json | jq -r '.increments[] | select(.damage != "").id' | paste -sd' '; }

# verifies POINTS: nothing is damaged, and so many are read
verifies() {
    run -0 vmvault verify "$image"
    [[ $output == *"$1 restore points complete"* ]]
    run -0 vmvault verify "$image" --read-data
    [[ $output == *'0 '*' merged into increment '* && $output == *'read, but not proven'* ]]
    [ -z "$(damages)" ]
}

# goes_on: without anybody having merged anything again; then that is done, too
goes_on() {
    disk_write older 0 'write -P 20 20M 64k'
    reference "$BATS_TEST_TMPDIR/ref" a.qcow2
    run -0 vmvault backup older
    [[ $output == *"image $image, increment 5: "* ]]
    vmvault flatten "$image" --keep 2
    [ "$(vmvault show "$image" --json | jq -c '[.increments[].id]')" = '[4,5]' ]
    restores 4
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    same_disk "$BATS_TEST_TMPDIR/ref/a.qcow2" "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
    vmvault verify "$image" --read-data
    [ "$(restic --no-cache -q -r "$repo" -p "$VMVAULT_VAR/restic.password" snapshots --json | jq length)" -eq 2 ]
}

@test "after one flatten: what is stored restores and verifies" {
    state older.db once
    restores 2 3 4
    verifies 3
    restores 2 3 4
    refuses 0 1
    [ -z "$(damages)" ]
}

@test "after two flattens: what is stored restores and verifies" {
    state older.db twice
    restores 3 4
    verifies 2
    refuses 0 1 2
    [ -z "$(damages)" ]
}

@test "the state of between two flattens" {
    state once/state.db twice
    restores 3 4
    refuses 2
    run -0 vmvault verify "$image" --read-data
    [ -z "$(damages)" ]
}

@test "all that the state knows is merged into a later point: that is said, and nothing is damaged" {
    state older.db twice
    sql "DELETE FROM increments WHERE id > 2"
    refuses 0 1 2
    run -1 --separate-stderr vmvault verify "$image"
    [[ $stderr == *'a flatten has merged it into a later increment'* ]]
    [ -z "$(damages)" ]
}

@test "a flatten after a verify" {
    state older.db once
    vmvault verify "$image" --read-data
    vmvault flatten "$image" --keep 2
    [ "$(vmvault show "$image" --json | jq -c '[.increments[].id]')" = '[3,4]' ]
    restores 3 4
    vmvault verify "$image" --read-data
}

@test "a flatten after two flattens is the second one's" {
    state older.db twice
    vmvault verify "$image" --read-data
    vmvault flatten "$image" --keep 4
    [ "$(vmvault show "$image" --json | jq -c '[.increments[].id]')" = '[3,4]' ]
    restores 3 4
}

@test "what an earlier version has called corrupt is good again when it was read" {
    state older.db twice
    sql "UPDATE increments SET damage = 'the snapshot is not in the repository'"
    run -1 vmvault flatten "$image" --keep 1
    verifies 2
    vmvault flatten "$image" --keep 1
    restores 4
}

@test "the image is deleted: with what its points were merged into" {
    state older.db twice
    vmvault delete "$image"
    [ "$(restic --no-cache -q -r "$repo" -p "$VMVAULT_VAR/restic.password" snapshots --json | jq length)" -eq 0 ]
}

@test "the bytes of another point are never given: the merged snapshot is gone, too" {
    local merged
    state older.db twice
    merged=$(restic --no-cache -q -r "$repo" -p "$VMVAULT_VAR/restic.password" snapshots --json |
        jq -r '.[] | select(.tags[] | startswith("vmvault-flat-")).short_id')
    restic --no-cache -q -r "$repo" -p "$VMVAULT_VAR/restic.password" forget "$merged"
    run -1 --separate-stderr vmvault restore "$image" --to "$BATS_TEST_TMPDIR/none"
    one_line
    [[ $stderr == *' has no snapshot '* && $stderr != *flatten* ]]
    run -1 --separate-stderr vmvault verify "$image"
    [[ $stderr == *'is corrupt: increment 0, '*' is not in the repository'* ]]
}

@test "the machine goes on" {
    state older.db once
    goes_on
}
