# SPDX-License-Identifier: Apache-2.0
# Snapshots that bear another id than the one that we were told: `restic tag` and `restic copy` give them one.

load helper.bash

setup_file() {
    hypervisor_start
    export RESTIC_PASSWORD_FILE=$VMVAULT_VAR/restic.password
}

teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_TEST_TMPDIR"
    name=retagged-$BATS_TEST_NUMBER
    qemu-img create -q -f qcow2 a.qcow2 40M
    paused_start "$name" a.qcow2
    for i in 1 2 3; do
        disk_write "$name" 0 "write -P $i ${i}M 64k"
        vmvault backup "$name"
    done
    image=$(image_of "$name")
    repository=$VMVAULT_VAR/repo/$(vmvault show "$image" --json | jq -r .vm.id)
    mapfile -t ids < <(vmvault show "$image" --json | jq -r '.increments[].source')
    reference ref a.qcow2
}
teardown() { guest_remove "$name"; }

restic_on() { restic --no-cache -q -r "$@"; }
snapshots() { restic_on "$repository" snapshots --json | jq -r '(. // [])[] | .short_id'; }

# another_id N...: these snapshots have other ids now
another_id() {
    local n
    for n; do
        restic_on "$repository" tag --add keep "${ids[n]}"
        run -1 grep "^${ids[n]}" <(snapshots)
    done
}

restores_right() {   # restores_right [OPTION...]: as the disk was when `reference` was taken
    rm -rf to
    vmvault restore "$image" --to to "$@"
    same_disk ref/a.qcow2 to/disk.0.qcow2
}

# all_goes_on: whatever can be done with an image can be done
all_goes_on() {
    restores_right
    vmvault verify "$image" --read-data
    [ "$(vmvault show "$image" --json | jq -c '[.increments[].damage]')" = '["","",""]' ]
    disk_write "$name" 0 'write -P 7 9M 64k'
    vmvault backup "$name"
    [ "$(image_of "$name")" -eq "$image" ]
    [ "$(last "$image" .id)" -eq 3 ]
    restores_right --increment 2
    rm -rf ref
    reference ref a.qcow2
    restores_right
    run -0 vmvault gc
    [[ $output != *"$(basename "$repository")"* ]]
    vmvault flatten "$image" --keep 2
    [ "$(snapshots | wc -l)" -eq 2 ]
    restores_right
    vmvault verify "$image" --read-data
    restic_on "$repository" tag --add keep   # all of them, the merged one, too
    restores_right
    vmvault flatten "$image" --keep 1
    [ "$(snapshots | wc -l)" -eq 1 ]
    restores_right
    vmvault delete "$image"
    [ -z "$(snapshots)" ]
}

@test "the newest was tagged" { another_id 2 && all_goes_on; }

@test "the first was tagged" { another_id 0 && all_goes_on; }

@test "all were tagged, twice" {
    another_id 0 1 2
    restic_on "$repository" tag --remove keep
    all_goes_on
}

@test "all were copied to a repository that has taken the place" {
    mv "$repository" old
    restic_on "$repository" init --copy-chunker-params --from-repo old --from-password-file "$RESTIC_PASSWORD_FILE"
    restic_on "$repository" copy --from-repo old --from-password-file "$RESTIC_PASSWORD_FILE"
    run -1 grep "^${ids[0]}" <(snapshots)
    rm -r old
    all_goes_on
}

@test "what is there twice is read once, and all of it is deleted" {
    restic_on old init --copy-chunker-params --from-repo "$repository" --from-password-file "$RESTIC_PASSWORD_FILE"
    restic_on old copy --from-repo "$repository" --from-password-file "$RESTIC_PASSWORD_FILE"
    restic_on old tag --add copy
    restic_on "$repository" copy --from-repo old --from-password-file "$RESTIC_PASSWORD_FILE"
    [ "$(snapshots | wc -l)" -eq 6 ]
    restores_right
    vmvault verify "$image" --read-data
    vmvault flatten "$image" --keep 2
    [ "$(snapshots | wc -l)" -eq 3 ]   # the newest is there twice
    restores_right
    vmvault delete "$image"
    [ -z "$(snapshots)" ]
}

@test "what was tagged is deleted" {
    another_id 0 2
    vmvault delete "$image"
    [ -z "$(snapshots)" ]
    vmvault backup "$name"
    image=$(image_of "$name")
    restores_right
}
