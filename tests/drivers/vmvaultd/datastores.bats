# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd: datastores for backups come and go.

load helper

setup() {
    service_setup
    mkdir "$VMVAULT_REMOTES/datastore/rsync"
    cp "$VMVAULT_REMOTES"/datastore/restic/* "$VMVAULT_REMOTES/datastore/rsync/"
}
teardown() { service_stop; }

PASSWORD=hush-4711
template() {
    printf 'NAME = "%s"\nTYPE = BACKUP_DS\nDS_MAD = restic\nTM_MAD = -\nRESTIC_PASSWORD = "%s"\nRESTIC_SFTP_SERVER = bk1\n' \
        "$1" "$PASSWORD"
}
# create NAME: its id, as $id
create() {
    template "$1" >"$BATS_TEST_TMPDIR/template"
    run -0 --separate-stderr vmvault datastore create "$BATS_TEST_TMPDIR/template"
    [[ $output =~ ^ID:\ ([0-9]+)$ ]]
    id=${BASH_REMATCH[1]}
}
is_monitored() { called "monitor $1"; }
# refused WORD: the last call was refused with this code, in one line
refused() {
    [ "$status" -eq 1 ]
    [[ $output == "$1 "* ]]
    [ "${#lines[@]}" -eq 1 ]
}
in_metrics() {
    curl -sS --max-time 20 --unix-socket "$VMVAULT_VAR/vmvaultd.socket" http://localhost/metrics | grep -q "datastore=\"$1\""
}

@test "one is created and deleted while the service runs, and nothing of it goes on" {
    machines 2
    ready
    create far
    [ "$id" = 101 ]
    [ "$(stat -c %a "$VMVAULT_VAR/datastores/101.xml")" = 600 ]
    eventually is_monitored 101
    eventually in_metrics 101   # when its driver has answered
    run -0 vmvault datastore show far --xml
    follows datastore "$output"
    [[ $output != *"$PASSWORD"* ]]
    echo MAX_BACKUPS=1 | vmvault datastore update far --append
    vmvault datastore rename far farther
    [ "$(vmvault datastore list --csv --no-header -l ID,NAME -f ID=101)" = 101,farther ]
    vmvault datastore delete farther
    [ "$(vmvault datastore list --csv --no-header -l ID -f TYPE=bck)" = 100 ]
    [ ! -e "$VMVAULT_VAR/datastores/101.xml" ]
    run -1 in_metrics 101
    run -1 api one.datastore.info i:101 b:1
    refused 1024
    run -1 api one.datastore.delete i:101
    refused 1024
    run -1 api one.vm.backup i:1000000 i:101 b:0
    refused 1024
    service_end KILL
    ready
    create far
    [ "$id" = 102 ]
    run -1 grep -rlF "$PASSWORD" "$BATS_TEST_TMPDIR/log" "$VMVAULT_VAR/state.db" "$CALLS"
}

@test "what cannot be created is refused in one line that has no password" {
    machines 2
    ready
    local line what
    while IFS='|' read -r line what; do
        run -1 api one.datastore.allocate "s:NAME=\"a\" TYPE=\"BACKUP_DS\" $line" i:-1
        [[ $output == "16384 "*"$what"* ]] || { echo "$line: $output"; false; }
        [[ $output != *"$PASSWORD"* ]]
        [ "${#lines[@]}" -eq 1 ]
    done <<E
DS_MAD="tape"|tape
DS_MAD="../restic"|no datastore driver
RESTIC_PASSWORD="$PASSWORD"|DS_MAD
DS_MAD="restic"|RESTIC_PASSWORD
DS_MAD="restic" RESTIC_PASSWORD="$PASSWORD"|RESTIC_SFTP_SERVER
DS_MAD="restic" RESTIC_PASSWORD="$PASSWORD" RESTIC_BACKEND="S3"|RESTIC_S3_BUCKET
DS_MAD="rsync"|RSYNC_HOST
DS_MAD="rsync" RSYNC_HOST="bk1" NAME="default"|'default' already
DS_MAD="rsync" RSYNC_HOST="bk1" KEEP_LAST="all"|KEEP_LAST
DS_MAD="rsync" RSYNC_HOST="bk1" BASE_PATH="srv"|srv
DS_MAD="rsync" RSYNC_HOST="bk1" TYPE="SYSTEM_DS"|TYPE
E
    run -1 api one.datastore.allocate 's:NAME="a" TYPE="BACKUP_DS" DS_MAD="rsync" RSYNC_HOST="bk1"' i:7
    refused 1024
    # Neither does what cannot be read.
    run -1 api one.datastore.allocate "s:RESTIC_PASSWORD = $PASSWORD again" i:-1
    [[ $output != *"$PASSWORD"* ]]
    [ "$(vmvault datastore list --csv --no-header -l ID -f TYPE=bck)" = 100 ]
    run -1 grep -F "$PASSWORD" "$BATS_TEST_TMPDIR/log"
}

@test "one that is used stays, and says by what" {
    machines 2
    ready
    create far
    api one.vm.backup i:1000000 "i:$id" b:0
    run -1 api one.datastore.delete "i:$id"
    refused 2048
    [[ $output == *'VM 1000000'* ]]
    go
    eventually has_images 1
    run -1 --separate-stderr vmvault datastore delete far
    fails_with 1 'not empty: image 1'
    local job action
    job=$(api one.backupjob.allocate "s:NAME=\"j\" BACKUP_VMS=\"1000001\" DATASTORE_ID=\"$id\"")
    vmvault image delete 1 --wait
    run -1 api one.datastore.delete "i:$id"
    refused 2048
    [[ $output == *"backup job $job 'j'"* ]]
    api one.backupjob.delete "i:$job"
    action=$(api one.vm.schedadd i:1000000 "s:SCHED_ACTION=[TIME=\"4000000000\",ARGS=\"$id\"]")
    run -1 api one.datastore.delete "i:$id"
    refused 2048
    [[ $output == *"action $action of VM 1000000"* ]]
    api one.vm.scheddelete i:1000000 "i:$action"
    vmvault datastore delete far
    run -1 api one.datastore.delete i:100
    refused 2048
    # What was there once does not stop anything.
    [ "$(sql 'SELECT count(*) FROM attempts WHERE datastore = 101')" -ge 1 ]
    api one.vm.backup i:1000000 i:100 b:0
    eventually has_images 1
    run --separate-stderr vmvault gc --dry-run
    [[ $stderr != *'datastore 101'* ]]
}

@test "a store that is gone for good: its images are deleted by force, and then the datastore" {
    machines 2
    ready
    create far
    api one.vm.backup i:1000000 "i:$id" b:0
    go
    eventually has_images 1
    echo 'echo "no route to host" >&2; exit 1' >"$FAKE/rm"
    run -1 --separate-stderr vmvault image delete 1 --wait
    [[ $stderr == *'no route to host'* ]]
    run -1 api one.datastore.delete "i:$id"
    refused 2048
    run -0 vmvault image delete 1 --force --wait
    eventually has_images 0
    grep -q 'image 1 is gone by force.*no route to host' "$BATS_TEST_TMPDIR/log"
    vmvault datastore delete far
}

@test "one of backups may be called as the service would call its first one of images" {
    machines 2
    create images
    ready
    [ "$(vmvault datastore list --csv --no-header -l ID,NAME | xargs)" = "1,images- 100,default $id,images" ]
}

# listed NAME: its STAT, ERROR
listed() { vmvault datastore list --csv --no-header -l STAT,ERROR -f "NAME=$1"; }
# is_listed NAME PATTERN
# shellcheck disable=SC2053
is_listed() { [[ $(listed "$1") == $2 ]]; }

@test "one that cannot be used says so, and why, also where its file is gone" {
    machines 2
    ready
    eventually in_metrics 100   # its driver has answered, and does not come across what follows
    echo 'echo "no route to host" >&2; exit 1' >"$FAKE/monitor"
    create far
    eventually is_listed far 'err,*no route to host*'
    [ "$(listed default)" = on, ]
    run -0 vmvault datastore show far --xml
    follows datastore "$output"
    # Whoever edits it says that again.
    [ "$(api one.datastore.update "i:$id" 's:ERROR="no route to host" MAX_BACKUPS="1"' i:1)" = "$id" ]
    rm "$FAKE/monitor"
    service_end KILL
    ready
    eventually is_listed far 'on,'

    rm "$VMVAULT_VAR/datastores/$id.xml" "$VMVAULT_VAR/datastores/1.xml"
    is_listed far "err,*datastores/$id.xml*"
    is_listed images 'err,*datastores/1.xml*'
    [ "$(listed default)" = on, ]
    follows datastore_pool "$(api one.datastorepool.info)"
    run -0 vmvault datastore show images
    [[ $output == *datastores/1.xml* ]]
}

@test "one that was half deleted by a kill is gone" {
    machines 2
    ready
    create far
    cp "$VMVAULT_VAR/datastores/101.xml" "$BATS_TEST_TMPDIR/"
    vmvault datastore delete far
    service_end KILL
    cp "$BATS_TEST_TMPDIR/101.xml" "$VMVAULT_VAR/datastores/"   # it was killed before the file went
    ready
    [ ! -e "$VMVAULT_VAR/datastores/101.xml" ]
}
