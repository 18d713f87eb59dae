# SPDX-License-Identifier: Apache-2.0
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    with_repository
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    write_vm_xml
}

# The password holds quotes, blanks, a newline and letters of any language.
@test "a backup makes the repository, and prints id, size rounded up, and format" {
    rm -r "$BASE"
    PASSWORD=$'it\'s "so"\n $HOME `x` \\ <&> süß'
    run -0 --separate-stderr backup
    [[ $output =~ ^[0-9a-f]{8}\ 2\ raw$ ]]
    [ "$(snapshots)" = "${output%% *}" ]
}

@test "the snapshot has the VM's tag, and each file by its own path" {
    echo '<domain/>' >"$FILES/domain.xml"; echo '{}' >"$FILES/vmvault.json"
    echo n >"$FILES/nvram.fd"; echo t >"$FILES/disk.tpm.0"; echo x >"$FILES/scratch"
    backup_ok
    run -0 jq -r '.[0].tags[0], .[0].paths[]' < <(restic_here snapshots --json)
    [ "$output" = "one-12
$FILES/disk.0.0
$FILES/disk.tpm.0
$FILES/domain.xml
$FILES/nvram.fd
$FILES/vm.xml
$FILES/vmvault.json" ]
}

@test "the VMs of a job share the repository job_<id>" {
    with_repository job_4
    backup_ok localhost 4
    REPO=job_4
    [ "$(snapshots)" = "$ID" ]
}

@test "a file of the same name, size and time but other content is stored as it is now" {
    touch -d @1000000 "$FILES/disk.0.0"
    backup_ok
    head -c 1500000 /dev/urandom >"$FILES/new"
    cat "$FILES/new" >"$FILES/disk.0.0"
    touch -d @1000000 "$FILES/disk.0.0"
    backup_ok
    restic_here dump "$ID" "$FILES/disk.0.0" | cmp - "$FILES/new"
}

@test "the password is in no argument, log or error" {
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log
    PASSWORD=under-the-rose
    run --separate-stderr backup
    [ "$status" -eq 0 ]
    grep -q '^env RESTIC_PASSWORD=under-the-rose' "$FAKE_RESTIC_LOG"   # it did arrive
    run ! grep -a 'under-the-rose' < <(grep -a '^argv' "$FAKE_RESTIC_LOG"; echo "$stderr")
    export FAKE_RESTIC_FAIL=backup
    run --separate-stderr backup
    [ "$status" -eq 1 ]
    one_line 'the store is on fire'
    [[ $stderr != *under-the-rose* ]]
}

@test "a wrong password is named as such, and makes no new repository" {
    backup_ok
    before=$(ls "$BASE/12/keys")
    PASSWORD=wrong
    run -1 --separate-stderr backup
    one_line 'RESTIC_PASSWORD) is wrong'
    [ "$(ls "$BASE/12/keys")" = "$before" ]
}

@test "a repository that has lost its config is not replaced by a new one" {
    backup_ok
    mv "$BASE/12/config" "$BASE/12/config.away"
    run -1 --separate-stderr backup
    one_line "has lost its file 'config'"
    [ ! -e "$BASE/12/config" ]
}

@test "a repository whose init was killed is made anew" {
    backup_ok
    mv "$BASE/12" "$BATS_TEST_TMPDIR/other"
    mkdir -p "$BASE/12"/{data/00,index,snapshots}
    cp -r "$BATS_TEST_TMPDIR/other/keys" "$BASE/12/"   # of the same password, and not for what comes
    backup_ok
    [ "$(find "$BASE/12/keys" -type f | wc -l)" -eq 1 ]
    [ "$(find "$BASE/12/snapshots" -type f | wc -l)" -eq 1 ]
    run -0 "$BUILD/datastore/restic/inventory" 12 < <(request "$(datastore)" '<IMAGE><ID>1</ID><VMS><ID>12</ID></VMS></IMAGE>' | base64)
    [[ $output =~ ^[0-9a-f]{64}$ ]]
}

@test "a place that cannot be written to is named, and is no repository afterwards" {
    rm -r "$BASE"
    : >"$BATS_TEST_TMPDIR/base"
    run -1 --separate-stderr backup
    one_line "repository '12' of datastore 100"
}

# two_first_backups VAR VAR: of front-ends with these state directories, into one new repository
two_first_backups() {
    local vm=12 var
    rm -r "$BASE"
    for var; do
        mkdir -p "$var"
        request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request.$vm"
        VMVAULT_VAR=$var "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 one-$vm 4 $vm 0 \
            <"$BATS_TEST_TMPDIR/request.$vm" >"$BATS_TEST_TMPDIR/out.$vm" 2>"$BATS_TEST_TMPDIR/err.$vm" 3>&- &
        ((++vm))
    done
    wait
    REPO=job_4
    cat "$BATS_TEST_TMPDIR"/err.*
    [ "$(snapshots | wc -l)" -eq 2 ]
    [ "$(ls "$BASE/job_4/keys" | wc -l)" -eq 1 ]
    [ "$(ls "$BASE/job_4" | sort | xargs)" = 'config data index keys locks snapshots' ]
}

@test "two first backups at once make one good repository" {
    two_first_backups "$VMVAULT_VAR" "$VMVAULT_VAR"
}

@test "two first backups of two front-ends at once make one good repository" {
    two_first_backups "$VMVAULT_VAR" "$BATS_TEST_TMPDIR/other.var"
}

@test "a backup directory without a disk file is an error that names it" {
    rm -r "$BASE"
    rm "$FILES/disk.0.0"
    run -1 --separate-stderr backup
    one_line "there is no disk file in '$FILES'"
    [ ! -e "$BASE/12" ]
}

@test "each disk that the core names must have its file of this increment" {
    DISKS=0:3 run -1 --separate-stderr backup
    one_line "there is no 'disk.3.0' in '$FILES'"
    LAST=4 run -1 --separate-stderr backup
    one_line "there is no 'disk.0.5' in '$FILES'"
    DISKS=x run -2 --separate-stderr backup
    one_line 'disk ids'
    [ -z "$(snapshots)" ]
}

@test "an increment never makes a repository: the one with its chain is missed" {
    rm -r "$BASE/12"
    mv "$FILES/disk.0.0" "$FILES/disk.0.1"
    LAST=0 run -1 --separate-stderr backup
    one_line 'which holds the earlier increments of the chain, is not there'
    [ ! -e "$BASE/12" ]
}

@test "a snapshot that the next backup would take for a leftover is none" {
    # In the middle of the upload the note becomes something that cannot be removed.
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log
    local bin=$BATS_TEST_TMPDIR/bin note=$VMVAULT_VAR/restic-run.100.12.12
    mkdir "$bin"
    cat >"$bin/restic" <<SH
#!/bin/sh
case " \$* " in *' backup '*) rm '$note' && mkdir -p '$note/x' ;; esac
exec '$ROOT/tests/fakes/restic' "\$@"
SH
    chmod +x "$bin/restic"
    PATH=$bin:$PATH run -1 --separate-stderr backup
    one_line "cannot remove '$note'"
    grep -q '^argv.* forget .*aaaaaaaa' "$FAKE_RESTIC_LOG"
}

@test "a backup yields to others as the datastore says, and limits that do not hold are told" {
    can_unshare || skip 'no mount namespaces here'
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log
    EXTRA='<RESTIC_NICE>3</RESTIC_NICE><RESTIC_IONICE>6</RESTIC_IONICE><RESTIC_CPU_QUOTA>50</RESTIC_CPU_QUOTA>'
    FAKE_SYSTEMD_FAIL=1 VIA=with_systemd run -0 --separate-stderr backup
    grep -A 3 '^argv.* backup ' "$FAKE_RESTIC_LOG" >"$BATS_TEST_TMPDIR/call"
    grep -qx "nice $(($(nice) + 3))" "$BATS_TEST_TMPDIR/call"
    grep -qx 'ionice best-effort: prio 6' "$BATS_TEST_TMPDIR/call"
    grep -qx 'WARN: backup: limits that are not enforced here: CPU_QUOTA .*' <<<"$stderr"
    EXTRA='<RESTIC_NICE>low</RESTIC_NICE>'
    run -2 --separate-stderr backup
    one_line RESTIC_NICE
}

@test "temporary files are in memory, or it is said why not" {
    [ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip 'there is no tmpfs here'
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log
    TMPDIR=/var/tmp run -0 --separate-stderr backup
    [[ $stderr != *temporary* ]]
    grep -A 4 '^argv.* backup ' "$FAKE_RESTIC_LOG" | grep -qx 'tmpdir /dev/shm'
    rm "$FAKE_RESTIC_LOG"
    TMPDIR=/var/tmp VMVAULT_RESTIC_TMPDIR=/proc run -0 --separate-stderr backup
    grep -qx "WARN: backup: temporary files are written to the disk: '/proc' is not in memory (tmpfs)" <<<"$stderr"
    grep -A 4 '^argv.* backup ' "$FAKE_RESTIC_LOG" | grep -qx 'tmpdir /var/tmp'
    # In memory they count for the limit of memory, too.
    EXTRA='<RESTIC_MEMORY_MAX_MB>600</RESTIC_MEMORY_MAX_MB>' run -0 --separate-stderr backup
    [[ $stderr == *'the limit of memory leaves no room for them'* ]]
}

@test "a link in the place of a disk file is not followed" {
    ln -s /etc/passwd "$FILES/disk.1.0"
    run -1 --separate-stderr backup
    one_line "'$FILES/disk.1.0' is not a plain file"
}

@test "a file that cannot be read fails the backup, and its snapshot is removed" {
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log FAKE_RESTIC_FAIL=incomplete
    run -1 --separate-stderr backup
    one_line 'could not be read'
    grep -q '^argv.* forget .*aaaaaaaa' "$FAKE_RESTIC_LOG"
}

@test "a snapshot of fewer bytes than the files have is removed, and no success" {
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log FAKE_RESTIC_FAIL=short
    run -1 --separate-stderr backup
    one_line 'restic stored'
    grep -q '^argv.* forget .*aaaaaaaa' "$FAKE_RESTIC_LOG"
}

@test "the long snapshot ids of new releases are cut to eight digits" {
    with_fakes
    run -0 --separate-stderr backup
    [ "$output" = 'aaaaaaaa 2 raw' ]
}

@test "a restic that is too old is refused with the remedy" {
    with_fakes
    FAKE_RESTIC_VERSION=0.12.1 run -1 --separate-stderr backup
    one_line 'install restic 0.14 or newer'
}

@test "a missing restic is named with the remedy" {
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request"
    run -1 --separate-stderr env PATH=/nowhere "$BUILD/datastore/restic/backup" \
        "localhost:$VMDIR" 0 one-12 - 12 0 <"$BATS_TEST_TMPDIR/request"
    one_line 'install restic 0.14 or newer'
}

@test "progress is written where VMVAULT_PROGRESS says" {
    export VMVAULT_PROGRESS=$BATS_TEST_TMPDIR/progress
    backup_ok
    run -0 jq -e '.step == "upload" and .done == .total and .total > 1500000' "$VMVAULT_PROGRESS"
}

@test "a full target disk is an error, and no snapshot" {
    [ "$(id -u)" -eq 0 ] || skip 'mounting a small tmpfs needs root'
    mount -t tmpfs -o size=3m none "$BASE" 2>/dev/null || skip 'no mount here'
    with_repository
    head -c 8000000 /dev/urandom >"$FILES/disk.0.0"
    run --separate-stderr backup
    local left
    left=$(ls "$BASE/12/snapshots")
    umount "$BASE"
    [ "$status" -eq 1 ]
    one_line 'no space left'
    [ -z "$left" ]
}

@test "too few arguments, hostile XML, and bad numbers are bad requests of one line" {
    run -2 --separate-stderr "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 </dev/null
    one_line 'HOST:DIR'
    good=(localhost:"$VMDIR" 0 one-12 - 12 0)
    run -2 --separate-stderr "$BUILD/datastore/restic/backup" "${good[@]}" <<<'<DS_DRIVER_ACTION_DATA>'
    one_line ''
    run -2 --separate-stderr "$BUILD/datastore/restic/backup" "${good[@]}" \
        <<<'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    one_line ''
    [[ $stderr != *root:* ]]
    run -2 --separate-stderr "$BUILD/datastore/restic/backup" "localhost:$VMDIR" 0 one-12 'x;y' 12 0 \
        < <(request "$(datastore)" "$(vm)")
    one_line 'JOB_ID'
    run -2 --separate-stderr "$BUILD/datastore/restic/backup" "localhost:../etc" 0 one-12 - 12 0 \
        < <(request "$(datastore)" "$(vm)")
    one_line ''
    BACKEND='<RESTIC_BACKEND>FTP</RESTIC_BACKEND>'
    run -2 --separate-stderr backup
    one_line 'RESTIC_BACKEND'
    BACKEND='<RESTIC_SFTP_SERVER>-oProxyCommand=touch /tmp/x</RESTIC_SFTP_SERVER>'
    run -2 --separate-stderr backup
    one_line 'RESTIC_SFTP_SERVER'
}

@test "a local repository cannot take the files of another machine" {
    run -1 --separate-stderr backup node7
    one_line 'use RESTIC_BACKEND=SFTP'
}
