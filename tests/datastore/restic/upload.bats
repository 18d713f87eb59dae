# SPDX-License-Identifier: Apache-2.0
# What restic has stored is looked at before it counts as a backup.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    sequential "$FILES/disk.0.0" 40 0=a
    write_vm_xml
}

with_fake() {
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log FAKE_RESTIC_FAIL=$1
}

@test "a snapshot without one of the files is removed, and no success" {
    with_fake lost
    run -1 --separate-stderr backup
    one_line "restic did not store '$FILES/disk.0.0'"
    grep -q '^argv.* forget .*aaaaaaaa' "$FAKE_RESTIC_LOG"
}

@test "a snapshot with a file of another size is removed, and no success" {
    with_fake cut
    run -1 --separate-stderr backup
    one_line "$FILES/disk.0.0"
    grep -q '^argv.* forget .*aaaaaaaa' "$FAKE_RESTIC_LOG"
}

@test "checksums are stored beside the disks, and the size of a backup is that of its disks" {
    with_repository
    "$FIXTURES/sums" "$FILES/disk.0.0" >"$FILES/sums.0.0"
    backup_ok
    cmp "$FILES/sums.0.0" <(restic_here dump "$ID" "$FILES/sums.0.0")
    [ "$output" = "$ID 1 raw" ]
    run -0 "$BUILD/datastore/restic/ls" < <(request "$(datastore)" "$(vm)" "$(image "0:$ID")")
    [ "$(jq -r 'keys | join(" ")' <<<"$output")" = 0 ]
}

@test "a file that is no checksum of a disk is left alone" {
    with_repository
    touch "$FILES/sums.mine" "$FILES/sums.0.0.old"
    backup_ok
    [ "$(restic_here ls "$ID" | grep -c sums || true)" = 0 ]
}
