# SPDX-License-Identifier: Apache-2.0
# The checksums of merged disks cannot be left: who merges is killed just then, or the disk of the state is full.  The
# merge is good, and not proven.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 40M
    paused_start sums a.qcow2
    disk_write sums 0 'write -P 9 0 6M'
    for n in 0 1 2; do
        disk_write sums 0 "write -P 1$n ${n}M 64k"
        reference "ref$n" a.qcow2
        vmvault backup sums
    done
    cp -r "$VMVAULT_VAR" good
}

teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -rf "$VMVAULT_VAR"
    cp -a good "$VMVAULT_VAR"
    mkdir "$BATS_TEST_TMPDIR/bin"
}

teardown() {
    local at
    for at in "$VMVAULT_VAR/merge.1" "$VMVAULT_VAR/repo" "$VMVAULT_VAR"; do
        if mountpoint -q "$at"; then umount -l "$at"; fi
    done
}

# small SIZE DIR: a file system of its own
small() { mount -t tmpfs -o "size=$1,mode=700" none "$2" 2>/dev/null || skip 'this user may not mount'; }

# once_stored COMMANDS: a PATH whose restic does that when it has stored the merged disks; $BATS_TEST_TMPDIR/did is
# there then
once_stored() {
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
[[ " \$* " == *' backup --force '* ]] || PATH=\${PATH#*:} exec restic "\$@"
PATH=\${PATH#*:} restic "\$@" || exit
touch $BATS_TEST_TMPDIR/did
$1
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/restic"
    echo "$BATS_TEST_TMPDIR/bin:$PATH"
}
stored() { [ -e "$BATS_TEST_TMPDIR/did" ]; }
fill() { echo "head -c 50m /dev/zero >'$1/fill' 2>/dev/null; until ! echo more >>'$1/rest'; do :; done 2>/dev/null"; }

restores() {   # restores N...
    local n
    for n; do
        vmvault restore 1 --increment "$n" --to "$BATS_TEST_TMPDIR/to.$n"
        same_disk "ref$n/a.qcow2" "$BATS_TEST_TMPDIR/to.$n/disk.0.qcow2"
        rm -r "$BATS_TEST_TMPDIR/to.$n"
    done
}

points() { vmvault show 1 --json | jq -c '[.state, [.increments[] | [.id, .damage, .proven != null]]]'; }

# good_not_proven: point 1 is the merged one, and 2 builds on it
good_not_proven() {
    [ "$(points)" = '["READY",[[1,"",false],[2,"",false]]]' ]
    run -0 vmvault verify 1 --read-data
    [ "$(grep -c ' read, but not proven: no checksums of its capture$' <<<"$output")" -eq 2 ]
    [ "$(points)" = '["READY",[[1,"",false],[2,"",false]]]' ]
    restores 1 2
}

@test "killed when the merged disks are stored: the next flatten finds them, they are good, and a full is proven again" {
    local path
    # shellcheck disable=SC2016
    path=$(once_stored 'kill -KILL "$(cut -d" " -f1 "$VMVAULT_VAR"/running/*.flatten)"')
    PATH=$path run -1 vmvault flatten 1 --keep 2 3>&-
    stored
    [ -z "$(find "$VMVAULT_VAR/merge.1" -mindepth 1 -type d)" ]   # those of the captures are
    [ "$(vmvault show 1 --json | jq -r .state)" = LOCKED ]
    restores 0 1 2
    run -1 --separate-stderr vmvault verify 1
    [[ $stderr == *"'vmvault flatten 1 --keep 2' goes on with it"* ]]

    rm "$BATS_TEST_TMPDIR/did"
    PATH=$path run -0 vmvault flatten 1 --keep 2
    run ! stored
    good_not_proven
    [ ! -e "$VMVAULT_VAR/merge.1" ]
    vmvault flatten 1 --keep 1
    run -0 vmvault verify 1 --read-data
    [[ $output == *' read, but not proven'* ]]
    restores 2
    vmvault backup sums --full
    run -0 vmvault verify 2 --read-data
    [[ $output == *' proven'* && $output != *'not proven'* ]]
}

@test "there is no room for the checksums: a warning, and the merge is good" {
    mkdir "$VMVAULT_VAR/merge.1"
    small 64k "$VMVAULT_VAR/merge.1"
    PATH=$(once_stored "$(fill "$VMVAULT_VAR/merge.1")") run -0 --separate-stderr vmvault flatten 1 --keep 2
    stored
    [[ $output == *'2 restore points merged into increment 1, 2 restore points left' ]]
    [[ $stderr == *'the checksums of the merged disks are lost: '*'No space left on device'* ]]
    umount "$VMVAULT_VAR/merge.1"
    good_not_proven
}

@test "there is no room for the state at all: the merge is recorded when there is, and good" {
    mv "$VMVAULT_VAR" "$BATS_TEST_TMPDIR/var"
    mkdir "$VMVAULT_VAR"
    small 6m "$VMVAULT_VAR"
    mv "$BATS_TEST_TMPDIR/var/repo" "$BATS_TEST_TMPDIR/repo"
    cp -a "$BATS_TEST_TMPDIR/var/." "$VMVAULT_VAR"
    mkdir "$VMVAULT_VAR/repo"
    mount --bind "$BATS_TEST_TMPDIR/repo" "$VMVAULT_VAR/repo"
    PATH=$(once_stored "$(fill "$VMVAULT_VAR")") run -1 --separate-stderr vmvault flatten 1 --keep 2
    stored
    [[ $stderr == *'vmvault: '*' is full'* ]]
    rm "$VMVAULT_VAR"/{fill,rest}
    [ "$(vmvault show 1 --json | jq -r .state)" = LOCKED ]
    restores 1 2
    run -0 vmvault flatten 1 --keep 2
    [[ $output == *'2 restore points merged into increment 1, 2 restore points left' ]]
    # Whether there was room for its checksums or not.
    vmvault verify 1 --read-data
    [ "$(vmvault show 1 --json | jq -c '[.state, [.increments[] | [.id, .damage]]]')" = '["READY",[[1,""],[2,""]]]' ]
    restores 1 2
    [ "$(sql 'PRAGMA integrity_check')" = ok ]
}
