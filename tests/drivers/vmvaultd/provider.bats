# SPDX-License-Identifier: Apache-2.0
# The worked example of share/doc/providers.md: a driver in another language, with all its hooks.

load helper

setup() {
    service_setup
    local copies=$VMVAULT_REMOTES/datastore/copies action
    mkdir "$copies"
    cp "$ROOT/share/examples/provider/copies" "$copies/backup"
    for action in $("$copies/backup" --actions); do ln -s backup "$copies/$action"; done
    cp "$BUILD/vmm/kvm/backup" "$BUILD/vmm/kvm/backup_cancel" "$BUILD/vmm/kvm/recover" "$VMVAULT_REMOTES/vmm/kvm/"
    capture prebackup_live 'mkdir "$dir"; cp "$FAKE/disk" "$dir/disk.0.0"; cp "$FAKE/domain.xml" "$dir"'
    capture postbackup_live 'rm -rf "$dir"'
    machines 2
    head -c 3M /dev/urandom >"$FAKE/disk"
    virsh -q --connect "$LIBVIRT_URI" dumpxml vm0 >"$FAKE/domain.xml"
    STORE=$BATS_TEST_TMPDIR/copies
    vmvault datastore add copies "localhost:$STORE"
}
teardown() { service_stop; }

# capture ACTION TEXT: what it does with the backup directory $dir, in bash
capture() {
    printf '#!/usr/bin/env bash\nset -eu\ncat >/dev/null\ndir=${1#*:}/backup\n%s\n' "$2" >"$VMVAULT_REMOTES/tm/qcow2/$1"
    chmod 755 "$VMVAULT_REMOTES/tm/qcow2/$1"
}

# calls_of: what the driver has noted, without the times
noted() { cut -d' ' -f2- "$STORE/log" 2>/dev/null; }
has_noted() { [ "$(noted)" = "$1" ]; }

@test "a backup is stored, read back and removed, with its hooks around it" {
    vmvault backup vm0 --datastore 101
    vmvault backup vm0 --datastore 101
    has_noted 'backup_init 1000000 101 0
backup 1000000
backup_cleanup 1000000 101 0 SUCCESS
backup_init 1000000 101 0
backup 1000000
backup_cleanup 1000000 101 0 SUCCESS'
    # Two images: it has said that it knows no increments.
    [ "$(vmvault list --json | jq -c 'map(.increments | length)')" = '[1,1]' ]
    vmvault delete 1
    [ "$(find "$STORE/1000000" -name 'disk.0.0' | wc -l)" -eq 1 ]
    cmp "$FAKE/disk" "$(find "$STORE/1000000" -name 'disk.0.0')"
}

@test "a backup_init that fails is the end before anything is done" {
    rm "$VMVAULT_REMOTES/datastore/copies/backup_init"
    printf '#!/bin/sh\necho "the licence is over" >&2\nexit 1\n' >"$VMVAULT_REMOTES/datastore/copies/backup_init"
    chmod 755 "$VMVAULT_REMOTES/datastore/copies/backup_init"
    run -1 --separate-stderr vmvault backup vm0 --datastore 101
    [[ $stderr == *'the licence is over'* ]]
    [ ! -e "$STORE/log" ]
}

@test "a backup that fails is told to backup_cleanup" {
    capture prebackup_live 'echo "no agent" >&2; exit 1'
    run -1 vmvault backup vm0 --datastore 101
    has_noted 'backup_init 1000000 101 0
backup_cleanup 1000000 101 0 FAILURE'
}

@test "the hooks of a job come once for each execution, before all and after all" {
    service_start 'RPO = 0'
    eventually is_known 2
    service_end TERM
    sql "INSERT INTO jobs (id, name, datastore, priority, execution, reset, hours, last_time, last_duration)
           VALUES (1, 'night', 101, 50, 'SEQUENTIAL', 0, '', -1, -1);
         INSERT INTO job_vms VALUES (1, 0, 1000000); INSERT INTO job_vms VALUES (1, 1, 1000001);
         INSERT INTO actions (subject, parent, time, repeat, days, end_type, end_value, anchor, done, datastore, reset, message)
           VALUES ('BACKUPJOB', 1, unixepoch() - 1, -1, '', 0, 0, unixepoch() - 1, -1, -1, 0, '')"
    service_start 'RPO = 0'
    eventually has_noted 'job_init 1 101
backup_init 1000000 101 0
backup 1000000
backup_cleanup 1000000 101 0 SUCCESS
backup_init 1000001 101 0
backup 1000001
backup_cleanup 1000001 101 0 SUCCESS
job_cleanup 1 101'
    [ -z "$(find "$VMVAULT_VAR/jobs" -name '[0-9]' )" ]
}

is_known() { [ "$(sql 'SELECT count(*) FROM scheduled_vms')" = "$1" ]; }
