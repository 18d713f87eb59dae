# SPDX-License-Identifier: Apache-2.0
# What was stored is not there any more: nobody builds on it.  And where nothing at all is there, nobody begins
# anew, and nothing is taken for lost: a file system may just not be mounted.

load helper.bash

setup_file() {
    hypervisor_start
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" ForceCommand internal-sftp --owner $$)"
    export PATH
    "$BUILD/drivers/cli/vmvault" datastore add rsync "localhost:$BATS_FILE_TMPDIR/server"
    "$BUILD/drivers/cli/vmvault" datastore add rsync "other:$BATS_FILE_TMPDIR/sftp" --set RSYNC_ARGS=-aS
}

teardown_file() { hypervisor_stop; }

# begun DATASTORE FOLDER: a machine with a full and two increments there; FOLDER is where the datastore has them
begun() {
    cd "$BATS_TEST_TMPDIR"
    name=gone-$BATS_TEST_NUMBER
    export VMVAULT_DATASTORE=$1
    qemu-img create -q -f qcow2 a.qcow2 40M
    paused_start "$name" a.qcow2
    local i
    for i in 1 2 3; do
        disk_write "$name" 0 "write -P $i ${i}M 64k"
        vmvault backup "$name"
    done
    image=$(image_of "$name")
    place=$2
}
teardown() { guest_remove "$name"; }
source_of() { vmvault show "$image" --json | jq -r ".increments[$1].source"; }

restores_right() {   # restores_right IMAGE
    rm -rf "to.$1" ref
    reference ref a.qcow2
    vmvault restore "$1" --to "to.$1"
    same_disk ref/a.qcow2 "to.$1/disk.0.qcow2"
}

# the_newest_is_gone: the next backup says so, the one after it begins a new chain
the_newest_is_gone() {
    disk_write "$name" 0 'write -P 7 9M 64k'
    run -1 --separate-stderr vmvault backup "$name"
    [[ $stderr == *"the chain is broken: increment 2, $gone, is not in "*'; the next backup begins a new one' ]]
    [ "$(vmvault show "$image" --json | jq '.increments | length')" -eq 3 ]
    vmvault backup "$name"
    local new
    new=$(image_of "$name")
    [ "$new" -ne "$image" ]
    restores_right "$new"
    disk_write "$name" 0 'write -P 8 10M 64k'
    vmvault backup "$name"
    restores_right "$new"
    vmvault restore "$image" --increment 1 --to older
}

# nothing_is_there: what was moved away comes back, and all goes on
nothing_is_there() {
    local to
    to=$(dirname "$place")/away.$BATS_TEST_NUMBER
    disk_write "$name" 0 'write -P 7 9M 64k'
    mv "$place" "$to"
    run -1 --separate-stderr vmvault verify "$image"
    [[ $stderr == *"$1"* ]]
    run -1 --separate-stderr vmvault backup "$name"
    [[ $stderr == *"$1"* ]]
    run -1 --separate-stderr vmvault backup "$name" --full
    [[ $stderr == *"$1"* ]]
    [ -z "$(find "$place" -type f 2>/dev/null)" ]
    rm -rf "$place"
    mv "$to" "$place"
    [ "$(vmvault show "$image" --json | jq '[.increments[].damage] == ["", "", ""]')" = true ]
    vmvault backup "$name"
    [ "$(image_of "$name")" -eq "$image" ]
    restores_right "$image"
    vmvault verify "$image" --read-data
}

@test "restic: the newest snapshot is gone" {
    begun 100
    gone=$(source_of 2)
    restic --no-cache -q -r "$VMVAULT_VAR/repo/$(vm_number)" -p "$VMVAULT_VAR/restic.password" forget "$gone"
    the_newest_is_gone
}
vm_number() { vmvault show "$image" --json | jq -r .vm.id; }

@test "a server: the newest backup is gone" {
    begun 101
    gone=$(source_of 2)
    rm -r "$BATS_FILE_TMPDIR/server/$(vm_number)/$gone"
    the_newest_is_gone
}

@test "a server that allows only SFTP: the newest backup is gone" {
    begun 102
    gone=$(source_of 2)
    rm -r "$BATS_FILE_TMPDIR/sftp/$(vm_number)/$gone"
    the_newest_is_gone
}

@test "restic: its file system is not mounted" {
    begun 100 "$VMVAULT_VAR/repo"
    nothing_is_there 'is not there'
}

@test "a server: its file system is not mounted" {
    begun 101 "$BATS_FILE_TMPDIR/server"
    nothing_is_there 'is its file system mounted?'
}

@test "a server that allows only SFTP: its file system is not mounted" {
    begun 102 "$BATS_FILE_TMPDIR/sftp"
    nothing_is_there 'is its file system mounted?'
}

@test "what is gone for good is deleted, and the machine is backed up again" {
    begun 101
    rm -r "$BATS_FILE_TMPDIR/server/$(vm_number)"
    run -1 vmvault backup "$name"
    vmvault delete "$image"
    vmvault backup "$name"
    restores_right "$(image_of "$name")"
}
