#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a real core and its drivers said to each other, once more with ours: the story of a VM that is
# backed up powered off and running, with increments and KEEP_LAST, by itself and in a job, and restored.
# Each test goes on where the one before has ended.

load front_end.bash

setup_file() {
    front_end_start
    vm_disk "$VMDIR"
    vm_disk "$VMDIR/../3"
    # Those that restic makes itself take a second to be opened, each time.
    local name
    for name in 2 job_0; do "$FIXTURES/restic_repository" "$STORES/102/$name" s3same; done
}
teardown_file() { front_end_stop; }

# writes N: something that only the N-th backup has
writes() {
    disk_write one-2 0 "write -P $((100 + $1)) $((8 + $1))M 100k"
    disk_write one-2 0 "write -z $((1 + $1))M 64k"
    reference "$BATS_FILE_TMPDIR/is.$1" "$VMDIR/disk.0.snap/0"
}
# stored REPOSITORY ID FILES: the snapshot of that recorded id holds these files of the VM
stored() {
    local repository=$1 id
    id=$(learned "$2")
    run -0 restic_there "$repository" snapshots --json "$id"
    [ "$(jq -r '.[0].tags[0]' <<<"$output")" = "one-${VM-2}" ]
    jq -r '.[0].paths[]' <<<"$output" >"$BATS_TEST_TMPDIR/paths"
    for file in "${@:3}" vm.xml; do
        grep -qxF "$STORES/101/${VM-2}/backup/$file" "$BATS_TEST_TMPDIR/paths"
    done
    [ "$(grep -c '/disk\.[0-9]*\.[0-9]*$' "$BATS_TEST_TMPDIR/paths")" -eq $(($# - 2)) ]
}

@test "all datastores are monitored, each by its driver" {
    core 00-monitor
}

@test "restic: a full backup of a powered-off VM" {
    core 03-restic-off-full
    as_before 2
    stored 2 ddeb2625 disk.0.0
    restic_there 2 dump "$(learned ddeb2625)" "$STORES/101/2/backup/disk.0.0" >"$BATS_TEST_TMPDIR/disk"
    same_disk "$BATS_TEST_TMPDIR/disk" "$VMDIR/disk.0"
    restic_there 2 dump "$(learned ddeb2625)" "$STORES/101/2/backup/vm.xml" | base64 -d | xmllint --noout -
}

@test "restic: a full backup of a running VM" {
    vm_on 2 23401b18-2886-42e0-8639-73a62b52342b
    core 04-restic-full
    as_before 2
    stored 2 f645acb7 disk.0.0
    [ -z "$(checkpoints 2)" ]
}

@test "restic: a chain of increments, and KEEP_LAST" {
    core 05-restic-increment-0
    stored 2 39444719 disk.0.0
    [ "$(checkpoints 2)" = one-2-0 ]
    writes 1
    core 06-restic-increment-1
    stored 2 5f2cc88b disk.0.1
    writes 2
    core 07-restic-increment-2
    [[ " $(checkpoints 2) " == *' one-2-2 '* ]]
    writes 3
    core 08-restic-increment-3-flatten
    stored 2 76118885 disk.0.1
    writes 4
    core 09-restic-increment-4-flatten
    as_before 2
    [[ " $(checkpoints 2) " == *' one-2-4 '* ]]
}

@test "restic: an image is made of it, with the recorded API calls, and the core's cp gets its disk" {
    echo 6 >"$ONED/last.image"
    echo -1 >"$ONED/last.template"
    core 10-restic-restore
    same_disk "$STORES"/100/* "$BATS_FILE_TMPDIR/is.4/0"
    rm "$STORES"/100/*
}

@test "restic: an image of one disk, of an earlier increment, with a name" {
    echo 69 >"$ONED/last.image"
    session <<X
$(recorded 10-restic-restore 'RESTORE  2' | sed 's#\(</DESTINATION_DS_ID><TEMPLATE>\)#\1<DISK_ID>0</DISK_ID><INCREMENT_ID>3</INCREMENT_ID><NAME>it'"'"'s "one"</NAME>#')
ds< RESTORE SUCCESS 2 -1 70
api one.image.allocate oneadmin [100,false] NAME = "it's \"one\"-disk-0"\nTYPE = "OS"\n\nPATH = "restic://102//2:8c634d5e,3:c6833468/var/lib/one/datastores/101/2/backup/disk.0.3"\nFROM_BACKUP_DS = "102"\n
X
}

@test "in place: the VM is as it was, at the last increment and at an earlier one" {
    local is host=node1
    [ -z "${NO_SSH-}" ] || host=localhost
    vm_off 2
    document 09-restic-increment-4-flatten | xmllint --xpath '/*/VM' - | sed 's/\(<LCM_STATE>\)69/\171/' >"$ONED/vms/2.xml"
    document 10-restic-restore | xmllint --xpath '/*/IMAGE' - >"$ONED/images/6.xml"
    for is in -1:4 2:2; do
        printf 'RESTORE qcow2 %s:%s//datastores/101/2 2 6 %s -1\n' $host "${STORES%/*}" "${is%:*}" >"$BATS_TEST_TMPDIR/transfer.7.restore"
        session <<X
tm> TRANSFER  2 $BATS_TEST_TMPDIR/transfer.7.restore
tm< TRANSFER SUCCESS 2 -
X
        same_disk "$VMDIR/disk.0" "$BATS_FILE_TMPDIR/is.${is#*:}/0"
    done
    as_before 2
}

@test "restic: an image is deleted, and again" {
    core 13-restic-delete 13-restic-delete
    run -0 restic_there 2 snapshots --json
    run ! grep -F "$(learned ddeb2625)" <<<"$output"
}

@test "rsync: full, increments, KEEP_LAST, an image is made of it" {
    vm_off 2
    core 15-rsync-off-full
    as_before 2
    vm_on 2 c26596cc-b4ea-4f23-8612-e7bdadf18e6f
    core 18-rsync-increment-0
    writes 5
    core 19-rsync-increment-1
    [ -e "$STORES/103/2/$(learned 3e6959)/disk.0.1" ]
    writes 6
    core 20-rsync-increment-2
    writes 7
    core 21-rsync-increment-3-flatten
    as_before 2
    echo 12 >"$ONED/last.image"
    echo 0 >"$ONED/last.template"
    core 22-rsync-restore
    same_disk "$STORES"/100/* "$BATS_FILE_TMPDIR/is.7/0"
}

@test "a job: two VMs, one repository" {
    vm_off 2
    vm_on 2 4aef2d57-a78d-428c-95e1-3310b17f50e7
    vm_on 3 1dc609bc-645d-4365-aee8-2be42b4550f0
    core 29-restic-job
    stored job_0 114141e5 disk.0.0
    VM=3 stored job_0 a0288462 disk.0.0
    as_before 2
    as_before 3
}

# next_in_job VM [SED...]: the request of the job's next increment
next_in_job() {
    recorded 29-restic-job "BACKUP  $1" | sed -e 's/\(<LAST_INCREMENT_ID><!.CDATA.\)-1/\10/' \
        -e "s/\(<INCREMENTAL_BACKUP_ID><!.CDATA.\)-1/\11$1/" "${@:2}"
}
succeeds() {
    printf '%s\n' "vmm< LOG I $1 Successfully execute transfer manager driver operation: prebackup_live." \
        "vmm< LOG I $1 Successfully execute datastore driver operation: backup." \
        "vmm< LOG I $1 Successfully execute transfer manager driver operation: postbackup_live." \
        "vmm< BACKUP SUCCESS $1 $2 1 raw"
}

@test "the job again, both at once: one fails, and is tried again" {
    reference "$BATS_FILE_TMPDIR/is.8" "$VMDIR/../3/disk.0.snap/0"
    session <<X
$(next_in_job 2)
$(next_in_job 3 -e 's/bkp1/unreachable/')
$(succeeds 2 aaaa0002)
vmm< LOG I 3 Successfully execute transfer manager driver operation: prebackup_live.
vmm? LOG [EW] 3 (ssh|backup|restic|send).*
vmm< LOG E 3 Failed to execute datastore driver operation: backup.
vmm< LOG I 3 Successfully execute transfer manager driver operation: postbackup_live.
vmm~ BACKUP FAILURE 3 .*unreachable.*
X
    as_before 3
    session <<X
$(next_in_job 3)
$(succeeds 3 aaaa0003)
X
    VM=3 stored job_0 aaaa0003 disk.0.1
    as_before 2
    as_before 3
}

@test "cancelled while it uploads: nothing is stored, the VM runs, and the next one is an increment" {
    local before
    before=$(restic_there job_0 snapshots --json | jq length)
    head -c 8M /dev/urandom >"$BATS_TEST_TMPDIR/random"
    disk_write one-3 0 "write -s $BATS_TEST_TMPDIR/random 20M 8M"
    session <<X
$(next_in_job 3 -e 's/\(<LAST_INCREMENT_ID><!.CDATA.\)0/\11/' -e 's#<RESTIC_PASSWORD>#<RESTIC_BWLIMIT>100</RESTIC_BWLIMIT>&#')
vmm< LOG I 3 Successfully execute transfer manager driver operation: prebackup_live.
until [ "\$(jq -r .phase "$VMVAULT_VAR/vmm/3.json" 2>/dev/null)" = backup ] && [ -n "\$(ls "$STORES/102/job_0/locks")" ]
$(next_in_job 3 -e 's/BACKUP  3/BACKUPCANCEL  3/' -e 's#\(<TM_COMMAND><!.CDATA.\)BACKUP \(qcow2 [^ ]*\) 0 \([^ ]*\) [^]]*#\1BACKUPCANCEL \2 \3\\n#')
vmm? LOG I 3 Successfully execute datastore driver operation: backup_cancel.
vmm? LOG [EW] 3 (?!Failed).*
vmm< BACKUPCANCEL SUCCESS 3 -
vmm< LOG E 3 Failed to execute datastore driver operation: backup.
vmm< LOG I 3 Successfully execute transfer manager driver operation: postbackup_live.
vmm~ BACKUP FAILURE 3 .*cancel.*
X
    as_before 3
    [ "$(restic_there job_0 snapshots --json | jq length)" -eq "$before" ]
    [[ $(virsh -q domjobinfo one-3) == *None* ]]
    guest_is one-3 paused
    session <<X
$(next_in_job 3 -e 's/\(<LAST_INCREMENT_ID><!.CDATA.\)0/\11/')
$(succeeds 3 aaaa0004)
X
    VM=3 stored job_0 aaaa0004 disk.0.2
}
