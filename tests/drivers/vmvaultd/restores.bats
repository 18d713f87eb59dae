# SPDX-License-Identifier: Apache-2.0
# Restores to new objects that were ordered before the service was killed: it makes them when it is back.

load restores.bash

setup() { restores_setup; }
teardown() { service_stop; }

# wanted INCREMENT: a template, and the image of its disk
wanted() {
    sql "INSERT INTO templates (id, name, owner, created, state, image, increment, datastore)
           VALUES (4, 'copy', 0, 1, 'LOCKED', 1, $1, 1);
         INSERT INTO disk_images (id, name, owner, datastore, type, created, source, template, image,
           increment, disk) VALUES (9, 'copy-disk-0', 0, 1, 'OS', 1, '$VMVAULT_VAR/restored/9.qcow2', 4, 1, $1, 0)"
}

@test "new objects: the image's file, and a template with a domain that runs on it" {
    wanted 0
    service_start 'RPO = 0'
    eventually is 'SELECT state, size_mib, error FROM disk_images' 'READY|8|'
    eventually is 'SELECT state, error FROM templates' 'READY|'
    cmp "$FAKE/disk.qcow2" "$VMVAULT_VAR/restored/9.qcow2"
    grep -Fx "downloader --stream restic://100//0:aaaa0000$VMVAULT_VAR/vms/1000000/backup/disk.0.0" "$CALLS"
    [[ $(sql 'SELECT text FROM templates') == *'IMAGE_ID = "9"'* ]]
    virsh -q --connect "$LIBVIRT_URI" define --validate "$VMVAULT_VAR/restored/4.xml"
    [ "$(xmllint --xpath 'string(//disk/source/@file)' "$VMVAULT_VAR/restored/4.xml")" = "$VMVAULT_VAR/restored/9.qcow2" ]
    [ "$(xmllint --xpath 'string(//emulatorpin/@cpuset)' "$VMVAULT_VAR/restored/4.xml")" = 0-1 ]
    [ "$(find "$VMVAULT_VAR/restored" -type f | wc -l)" -eq 2 ]
}

@test "a disk is held against its own checksums, also where another machine's increment has the same name" {
    wanted 0
    sql "INSERT INTO vms (uuid, name) VALUES ('u', 'other');
         INSERT INTO images (vm, datastore, mode, disks, created) SELECT max(id), 100, 'INCREMENT', '0', 1 FROM vms;
         INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, result)
           SELECT 2, id, source, size_mib, bytes, date, dir, result FROM increments WHERE image = 1 AND id = 0;
         INSERT INTO sums (image, increment, file, sums)
           VALUES (1, 0, 'sums.0.0', CAST('its own' AS BLOB)), (2, 0, 'sums.0.0', CAST('of another' AS BLOB))"
    cat >"$FAKE/downloader" <<'SH'
if [ "$1" = --file ]; then cat "$FAKE/$2"; else cat "$VMVAULT_SUMS"/sums.* >"$FAKE/sums"; cat "$FAKE/disk.qcow2"; fi
SH
    service_start 'RPO = 0'
    eventually is 'SELECT state, error FROM disk_images' 'READY|'
    [ "$(<"$FAKE/sums")" = 'its own' ]
}

@test "what cannot be read is an error, and the next service lets it be" {
    wanted 1
    echo 'echo the repository is gone >&2; exit 1' >"$FAKE/downloader"
    service_start 'RPO = 0'
    eventually is 'SELECT state FROM disk_images' ERROR
    eventually is 'SELECT state FROM templates' ERROR
    [[ $(sql 'SELECT error FROM disk_images') == *'the repository is gone' ]]
    [ -z "$(find "$VMVAULT_VAR/restored" -type f)" ]
    service_end TERM
    : >"$CALLS"
    service_start 'RPO = 0'
    eventually called 'monitor 100'   # it is at work
    run -1 grep -q downloader "$CALLS"
}

@test "a disk that names other files of this machine is an error" {
    wanted 1
    qemu-img create -q -f qcow2 -u -b "$BATS_TEST_TMPDIR/vm0.qcow2" -F qcow2 "$FAKE/disk.qcow2" 8M
    service_start 'RPO = 0'
    eventually is 'SELECT state FROM disk_images' ERROR
    [[ $(sql 'SELECT error FROM disk_images') == *'has a backing file'* ]]
    [ -z "$(find "$VMVAULT_VAR/restored" -name '9.*')" ]
}

@test "no machine is made on a disk that was backed up as it lay encrypted in its place" {
    wanted 0
    sql "UPDATE increments SET result = replace(result, '\"live\":true', '\"live\":false')"
    sed -i "s,<source file='[^']*'/>,<encryption format='luks'/>&," "$FAKE/domain.xml"
    service_start 'RPO = 0'
    eventually is 'SELECT state FROM disk_images' READY
    eventually is "SELECT error LIKE '%disk ''vda'' was backed up as it lay encrypted in its place%' FROM templates" 1
    [ ! -e "$VMVAULT_VAR/restored/4.xml" ]
}

@test "a download that is killed is begun anew" {
    wanted 0
    cat >"$FAKE/downloader" <<'SH'
if [ "$1" = --file ]; then cat "$FAKE/$2"; else
    cat "$FAKE/disk.qcow2"
    [ -e "$FAKE/killed" ] || { : >"$FAKE/killed"; kill -KILL $$; }
fi
SH
    service_start 'RPO = 0'
    eventually is 'SELECT state, error FROM disk_images' 'READY|'
    cmp "$FAKE/disk.qcow2" "$VMVAULT_VAR/restored/9.qcow2"
    [ -e "$FAKE/killed" ]
}

# restored_sums: of all that was restored so far
restored_sums() { (cd "$VMVAULT_VAR/restored" && find . -type f -exec sha256sum {} + | sort); }
@test "what was restored stays as it is, also when an older state is put back" {
    local copy=$BATS_TEST_TMPDIR/copy before file
    mkdir "$copy"
    cp -a "$VMVAULT_VAR"/state.db* "$copy/"
    service_start 'RPO = 0'
    eventually answers
    waits image restore 1 -d 1
    wait "$command"
    service_end TERM
    for file in "$VMVAULT_VAR"/restored/*.qcow2; do echo 'a machine has written' >>"$file"; done
    before=$(restored_sums)
    [ "$(wc -l <<<"$before")" -eq 2 ]
    put_back "$copy"
    service_start 'RPO = 0'
    eventually answers
    waits image restore 1 -d 1
    wait "$command"
    [ "$(restored_sums | wc -l)" -eq 4 ]
    [ "$(restored_sums | grep -cFx "$before")" -eq 2 ]
    vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" image delete "$(sql 'SELECT id FROM disk_images')"
    eventually is 'SELECT count(*) FROM disk_images' 0
    [ "$(restored_sums | wc -l)" -eq 3 ]
    [ "$(restored_sums | grep -cFx "$before")" -eq 2 ]
}

@test "a file that is there already is neither overwritten nor deleted: the restore is an error" {
    wanted 0
    mkdir "$VMVAULT_VAR/restored"
    echo "another machine's" >"$VMVAULT_VAR/restored/9.qcow2"
    service_start 'RPO = 0'
    eventually is 'SELECT state FROM disk_images' ERROR
    [[ $(sql 'SELECT error FROM disk_images') == *"'$VMVAULT_VAR/restored/9.qcow2' is there already"* ]]
    eventually is 'SELECT state FROM templates' READY
    vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" image delete 9
    eventually is 'SELECT count(*) FROM disk_images' 0
    [ "$(<"$VMVAULT_VAR/restored/9.qcow2")" = "another machine's" ]
    [ "$(find "$VMVAULT_VAR/restored" -name '9.*' | wc -l)" -eq 1 ]
}

@test "a disk that was restored when nobody heard of it is not restored again" {
    wanted 0
    local file=$VMVAULT_VAR/restored/9-0badcafe.qcow2 before
    mkdir "$VMVAULT_VAR/restored"
    qemu-img create -q -f qcow2 "$file" 16M
    before=$(restored_sums)
    sql "UPDATE disk_images SET source = '$file'"
    service_start 'RPO = 0'
    eventually is 'SELECT state, size_mib, error FROM disk_images' 'READY|16|'
    [ "$(restored_sums | grep -cFx "$before")" -eq 1 ]
}

@test "new objects, with --wait: how far it is is told, and how it ends; who waits may leave" {
    local go=$BATS_TEST_TMPDIR/go.download
    cat >"$FAKE/downloader" <<SH
if [ "\$1" = --file ]; then cat "\$FAKE/\$2"; else
    echo '{"step":"restore","done":2097152,"total":8388608}' >"\$VMVAULT_PROGRESS"
    until [ -e "$go" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done
    cat "\$FAKE/disk.qcow2"
fi
SH
    service_start 'RPO = 0'
    eventually answers
    waits image restore 1 -d 1
    eventually said 'restore: 25 %, 2.0 MiB of 8.0 MiB'
    kill -TERM "$command"
    status=0; wait "$command" || status=$?
    [ "$status" -eq 143 ]
    said 'the restore of image 1 goes on'
    touch "$go"
    eventually is 'SELECT state, error FROM disk_images' 'READY|'
    waits image restore 1 -d 1
    wait "$command"
    grep -Ex 'image 1 is restored; template and images: [0-9]+ [0-9]+' "$BATS_TEST_TMPDIR/out"
    is "SELECT count(*) FROM disk_images WHERE state = 'READY'" 2
    eventually is "SELECT count(*) FROM templates WHERE state = 'READY'" 2
    [ -z "$(find "$VMVAULT_VAR/images" -name '*.progress')" ]
    echo 'echo the repository is gone >&2; exit 1' >"$FAKE/downloader"
    waits image restore 1 -d 1
    status=0; wait "$command" || status=$?
    [ "$status" -eq 1 ]
    said 'image [0-9]* could not be restored: .*the repository is gone'
}

@test "what is ordered for an image, with --wait: that it was merged, and deleted, and why not" {
    service_start 'RPO = 0'
    eventually answers
    echo 'echo the store is full >&2; exit 1' >"$FAKE/increment_flatten"
    waits image flatten 1 --keep 1
    status=0; wait "$command" || status=$?
    [ "$status" -eq 1 ]
    said 'the merge of image 1 has failed: .*the store is full'
    echo 'echo 7 1:bbbb0000' >"$FAKE/increment_flatten"
    waits image flatten 1 --keep 1
    wait "$command"
    [ "$(<"$BATS_TEST_TMPDIR/out")" = 'image 1 is merged' ]
    is 'SELECT count(*) FROM increments' 1
    run -0 --separate-stderr sql 'SELECT result FROM increments'
    run -0 jq -c '[.parent, .disks[].kind]' <<<"$output"
    [ "$output" = '[-1,"full"]' ]
    run -0 "$BUILD/drivers/cli/vmvault" show 1
    [[ $output == *' full '*crash-consistent*' - '* ]]
    echo 'echo the store is gone >&2; exit 1' >"$FAKE/rm"
    waits image delete 1
    status=0; wait "$command" || status=$?
    [ "$status" -eq 1 ]
    said 'the deletion of image 1 has failed: .*the store is gone'
    rm "$FAKE/rm"
    waits image delete 1
    wait "$command"
    [ "$(<"$BATS_TEST_TMPDIR/out")" = 'image 1 is deleted' ]
    is 'SELECT count(*) FROM images' 0
}

@test "what something is restored from is neither deleted nor merged, by the service or without" {
    local verb
    wanted 0
    for verb in 'delete 1' 'flatten 1 --keep 1'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr vmvault $verb
        [[ $stderr == *'vmvaultd restores something from image 1, or does so when it is started' ]]
    done
    cat >"$FAKE/downloader" <<'SH'
until [ -e "$FAKE/go.download" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done
if [ "$1" = --file ]; then cat "$FAKE/$2"; else cat "$FAKE/disk.qcow2"; fi
SH
    service_start 'RPO = 0'
    eventually answers
    for verb in 'delete 1' 'flatten 1 --keep 1'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" image $verb
        [[ $stderr == *'something is being restored from image 1' ]]
    done
    is 'SELECT state, keep IS NULL FROM images' 'READY|1'
    touch "$FAKE/go.download"
    eventually is 'SELECT state, error FROM disk_images' 'READY|'
    eventually is 'SELECT state, error FROM templates' 'READY|'
    vmvault delete 1
    is 'SELECT count(*) FROM images' 0
}
