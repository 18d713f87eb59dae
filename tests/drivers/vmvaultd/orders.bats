# SPDX-License-Identifier: Apache-2.0
# The command vmvault, where a service runs: what is ordered is done there.

load helper

setup() {
    service_setup
    export HOME=$BATS_TEST_TMPDIR/home
    unset ONE_AUTH ONE_XMLRPC
}
teardown() { service_stop; }

# served COUNT [LINES]: the service runs, and knows so many machines; none is backed up by itself
served() {
    machines "$1"
    service_start "RPO = 0
${2-}"
    eventually known "$1"
}
ask() { vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" "$@"; }
known() { [ "$(ask vm list --csv --no-header -l NAME 2>/dev/null | wc -l)" -eq "$1" ]; }
id() { ask vm show "$1" --json | jq -r .VM.ID; }
# queued COLUMNS [OPTION]: of what waits
queued() { vmvault queue --csv --no-header -l "$@"; }
queue_empty() {
    local all
    all=$(queued VM --all) && [ -z "$all" ]
}
said() { grep -q -- "$1" "$BATS_TEST_TMPDIR/said"; }

# backed_up NAME: there is one more image
backed_up() {
    local before
    before=$(images)
    go
    vmvault vm backup "$1"
    eventually has_images $((before + 1))
    eventually queue_empty
    rm "$FAKE/go"
}

@test "a backup is ordered, waits for what is told live, and ends" {
    served 2 'MAX_BACKUPS = 1'
    run -0 vmvault vm backup vm0
    [[ $output == "a backup of VM $(id vm0) is ordered"* ]]
    eventually called "begins $(id vm0)"
    "$BUILD/drivers/cli/vmvault" vm backup vm1 --wait >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/said" 3>&- & command=$!
    eventually said "VM $(id vm1) waits for .*MAX_BACKUPS"
    [[ $(queued NAME,WHY) == vm1,*MAX_BACKUPS* ]]
    [ "$(queued NAME --all | sort | xargs)" = 'vm0 vm1' ]
    [ "$(vmvault queue --json | jq -c '.QUEUE.VM | map(.NAME)')" = '["vm1"]' ]
    go "$(id vm0)"
    eventually said "VM $(id vm1) is backed up since"
    mkdir -p "$VMVAULT_VAR/vmm"
    echo '{"step":"upload","done":4194304,"total":8388608}' >"$VMVAULT_VAR/vmm/new"   # at once, as it is written
    mv "$VMVAULT_VAR/vmm/new" "$VMVAULT_VAR/vmm/$(id vm1).progress"
    eventually said 'upload: 50 %, 4.0 MiB of 8.0 MiB'
    go
    wait "$command"
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = "VM $(id vm1) is backed up: image 2" ]
    has_images 2
    run -1 --separate-stderr vmvault vm backup 7
    fails_with 1 7
}

@test "who waits may leave; a backup that is cancelled or fails is no success" {
    served 1 'RETRIES = 0'
    "$BUILD/drivers/cli/vmvault" vm backup vm0 --wait >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/said" 3>&- & command=$!
    eventually said 'is backed up since'
    kill -TERM "$command"
    status=0; wait "$command" || status=$?
    [ "$status" -eq 143 ]
    said 'goes on'
    run -1 --separate-stderr vmvault vm backup vm0
    fails_with 1 'a backup of VM 1000000 runs'
    vmvault vm backup-cancel vm0
    eventually queue_empty
    "$BUILD/drivers/cli/vmvault" vm backup vm0 --wait >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/said2" 3>&- & command=$!
    eventually grep -q 'is backed up since' "$BATS_TEST_TMPDIR/said2"
    vmvault vm backup-cancel vm0
    status=0; wait "$command" || status=$?
    [ "$status" -eq 1 ]
    grep -q 'there is no new backup of VM 1000000: cancelled' "$BATS_TEST_TMPDIR/said2"
    eventually queue_empty
    has_images 0
    printf '#!/bin/sh\necho the store is full >&2\nexit 1\n' >"$VMVAULT_REMOTES/vmm/kvm/backup"
    run -1 --separate-stderr vmvault vm backup vm0 --wait
    [[ ${stderr_lines[-1]} == *'there is no new backup'*': the store is full' ]]
    # Who owns a machine does not read the log of the service.
    [ "$(vmvault vm show vm0 --json | jq -r .VM.USER_TEMPLATE.BACKUP_ERROR)" = 'the store is full' ]
    eventually grep -q 'the store is full' "$BATS_TEST_TMPDIR/log"
}

@test "a backup of one machine does not wait for the window, a job does, whoever begins it" {
    served 2 "BACKUP_WINDOW = \"$(LC_ALL=C date -d '+3 days' +%a | tr '[:upper:]' '[:lower:]') 00:00-00:01\""
    go
    vmvault job create --name nightly --vms vm1 -d default
    vmvault job backup nightly
    run -0 --separate-stderr vmvault vm backup vm0 --wait
    has_images 1
    [[ $(queued NAME,WHY) == vm1,*'waits for the backup window'* ]]
}

@test "a backup at another time is refused for a machine that is in a job, as one at once is" {
    served 1
    vmvault job create --name nightly --vms vm0 -d default
    run -1 --separate-stderr vmvault vm backup vm0 -d default
    fails_with 1 'VM 1000000 is backed up by job'
    run -1 --separate-stderr vmvault vm backup vm0 -d default --schedule +60
    fails_with 1 'VM 1000000 is backed up by job'
}

# action COMMAND KIND NAME...: of the only scheduled action of an object
action() { vmvault "$1" show "$2" --json | jq -r ".[].TEMPLATE.SCHED_ACTION.$3"; }

@test "backups at other times, again and again, are ordered by options and taken away again" {
    served 2
    local at
    at=$(date -d '2038-01-31 22:30' +%s)
    run -0 vmvault vm backup vm1 -d default --schedule '2038-01-31 22:30' --weekly 1,5 --end 3
    [[ $output =~ ^'VM '[0-9]+' will be backed up at 2038-01-31 22:30'.*', for the first time '.*'sched-delete '([0-9]+)' '([0-9]+) ]]
    for pair in "TIME $at" 'REPEAT 0' 'DAYS 1,5' 'END_TYPE 1' 'END_VALUE 3' "ARGS 100,0" "ID ${BASH_REMATCH[2]}"; do
        [ "$(action vm vm1 "${pair% *}")" = "${pair#* }" ] || { vmvault vm show vm1 --json; false; }
    done
    vmvault vm sched-delete vm1 "${BASH_REMATCH[2]}"
    [ "$(action vm vm1 ID)" = null ]
    vmvault job create --name nightly --vms vm0 -d default --schedule '2038-01-31 22:30' --daily --end '2039-01-01 00:00'
    [ "$(action job nightly DAYS)" = 0,1,2,3,4,5,6 ]
    [ "$(action job nightly END_VALUE)" = "$(date -d '2039-01-01 00:00' +%s)" ]
    vmvault job sched-delete nightly "$(action job nightly ID)"
    run -0 vmvault job sched-add nightly --schedule +1000000 --hourly 12
    [ "ID: $(action job nightly ID)" = "$output" ]
    [ "$(action job nightly REPEAT)" = 3 ]
    echo 'NAME = "other"' >"$BATS_TEST_TMPDIR/job"
    while IFS='|' read -r words said; do
        # shellcheck disable=SC2086
        run --separate-stderr vmvault $words
        fails_with 2 "$said"
    done <<EOF
job sched-add nightly --daily|--schedule TIME
job sched-add nightly --schedule 22:30 --daily --hourly 2|only one of
job sched-add nightly --schedule 22:30 --end 2|--end is for what is repeated
job sched-add nightly --schedule noon|no time
job create $BATS_TEST_TMPDIR/job --daily --schedule 22:30|excludes
EOF
    run -1 --separate-stderr vmvault job sched-add nightly --schedule 22:30 --monthly 0
    fails_with 1 "'0' is not from 1 to 31"
    run -1 --separate-stderr vmvault job sched-delete nightly 77
    fails_with 1 77
    eventually queue_empty
}

@test "images: protected, merged, restored as new ones, deleted" {
    served 1
    cp "$BATS_TEST_DIRNAME/../cli/fake_backup" "$VMVAULT_REMOTES/vmm/kvm/backup"
    cp "$BATS_TEST_DIRNAME/../cli/fake_datastore" "$VMVAULT_REMOTES/datastore/restic/downloader"
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    virsh -q --connect "$LIBVIRT_URI" dumpxml vm0 >"$FAKE/domain.xml"
    run -0 --separate-stderr vmvault vm backup vm0 --wait
    [ "$output" = 'VM 1000000 is backed up: image 1' ]
    run -0 --separate-stderr vmvault vm backup vm0 --wait
    vmvault image protect 1
    run -1 --separate-stderr vmvault image delete 1
    fails_with 1 'image 1 is protected'
    vmvault image unprotect 1
    run -0 vmvault image restore 1 -d images --name copy --increment 0
    [[ $output == 'image 1 is being restored; template and images: '+([0-9])' '+([0-9]) ]]
    eventually eval '[ "$(vmvault image list --csv --no-header -l NAME,STAT | grep copy)" = copy-disk-0,rdy ]'
    run -1 --separate-stderr vmvault image restore 9 -d images
    fails_with 1 9
    run -1 --separate-stderr vmvault image restore 1 -d default
    fails_with 1 'no image datastore 100'
    run -0 vmvault vm restore vm0 1
    [[ $output == 'VM 1000000 is being restored from image 1 '* ]]
    eventually eval '[ "$(vmvault vm show vm0 --json | jq -r .VM.USER_TEMPLATE.ERROR)" = "it runs: it must be powered off" ]'
    eventually queue_empty
    run -0 vmvault image flatten 1 --keep 1
    eventually grep -q 'image 1 could not be merged' "$BATS_TEST_TMPDIR/log"   # the fake says nothing
    grep -q ^increment_flatten "$CALLS"
    run -0 vmvault image delete 1
    eventually has_images 0
}

@test "jobs: made of options or of a file, begun, cancelled, tried again" {
    served 3 'RETRIES = 0'
    run -0 vmvault job create --name nightly --vms vm0,vm1 -d default --execution SEQUENTIAL --keep-last 5
    [[ $output =~ ^'ID: '([0-9]+)$ ]]
    local job=${BASH_REMATCH[1]}
    printf 'NAME = "weekly"\nBACKUP_VMS = "%s"\nDATASTORE_ID = "100"\n' "$(id vm2)" >"$BATS_TEST_TMPDIR/job"
    vmvault job create "$BATS_TEST_TMPDIR/job"
    [ "$(vmvault job list --csv --no-header -l NAME | xargs)" = 'nightly weekly' ]
    [ "$(vmvault job show nightly --json | jq -r .BACKUPJOB.TEMPLATE.KEEP_LAST)" = 5 ]
    vmvault job list --xml | xmllint --noout --schema "$ROOT/share/xsd/backupjob_pool.xsd" -
    vmvault job priority nightly 20
    [ "$(vmvault job list --csv --no-header -l PRIO -f NAME=nightly)" = 20 ]
    echo 'KEEP_LAST = "6"' | vmvault job update nightly --append
    [ "$(vmvault job show nightly --json | jq -r .BACKUPJOB.TEMPLATE.KEEP_LAST)" = 6 ]
    vmvault job backup nightly
    eventually called "begins $(id vm0)"
    [ "$(queued NAME,JOB)" = "vm1,$job" ]
    vmvault job cancel nightly
    eventually queue_empty
    has_images 0
    vmvault job retry nightly
    eventually eval '[ "$(calls "begins $(id vm0)")" -eq 2 ]'
    go
    eventually has_images 1   # the other has not failed: it had not begun
    vmvault job delete weekly
    run -1 --separate-stderr vmvault job show weekly
    fails_with 1 "no job 'weekly'"
    run -1 --separate-stderr vmvault job create --name bad --vms vm0 -d 77
    fails_with 1 'datastore 77'
    run -1 --separate-stderr vmvault job create --name bad --vms nobody -d 100
    fails_with 1 "no vm 'nobody'"
}

@test "users: made, logged in, kept to what is theirs, changed and deleted" {
    served 1
    echo secret-a | vmvault user create ann
    run --separate-stderr vmvault user create ann < <(echo other)
    fails_with 1 ann
    run --separate-stderr vmvault user create eve </dev/null
    fails_with 2 password
    [ "$(vmvault user list --csv --no-header -l NAME | xargs)" = 'oneadmin ann' ]
    export ONE_XMLRPC=unix:$VMVAULT_VAR/vmvaultd.socket
    printf 'ann:secret-a\n' >"$BATS_TEST_TMPDIR/ann"
    as_ann() { ONE_AUTH=$BATS_TEST_TMPDIR/ann vmvault "$@"; }
    [ -z "$(as_ann vm list --csv --no-header)" ]
    run -1 --separate-stderr as_ann vm backup "$(id vm0)"
    fails_with 1 'ot authorized'
    mkdir "$HOME"
    run -0 as_ann user login ann --time 600 --force
    run -1 grep -q secret-a "$BATS_TEST_TMPDIR/ann"
    [ -z "$(as_ann vm list --csv --no-header)" ]
    unset ONE_XMLRPC
    echo secret-b | vmvault user passwd ann
    printf 'ann:secret-a\n' >"$BATS_TEST_TMPDIR/ann"
    ONE_XMLRPC=unix:$VMVAULT_VAR/vmvaultd.socket run -1 --separate-stderr as_ann vm list
    fails_with 1 "couldn't be authenticated"
    vmvault user delete ann
    [ "$(vmvault user list --csv --no-header -l NAME)" = oneadmin ]
}

@test "the hook of the examples hears of success and of failure" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    for program in logger mail; do
        printf '#!/bin/sh\ncat >/dev/null\necho "%s $*" >>"$CALLS"\n' $program >"$BATS_TEST_TMPDIR/bin/$program"
    done
    chmod 755 "$BATS_TEST_TMPDIR"/bin/*
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    served 1 "RETRIES = 0
HOOK = \"$ROOT/share/examples/hook\""
    go
    vmvault vm backup vm0 --wait
    eventually grep -q '^logger -t vmvault -- SUCCESS VM 1000000: {.*"image":1' "$CALLS"
    printf '#!/bin/sh\necho the store is full >&2\nexit 1\n' >"$VMVAULT_REMOTES/vmm/kvm/backup"
    run -1 vmvault vm backup vm0 --wait
    eventually grep -q '^mail -s vmvault: FAILURE of VM 1000000 root' "$CALLS"
    grep -q '^logger -t vmvault -- FAILURE VM 1000000: {.*the store is full' "$CALLS"
}

# users: ann, whose is vm0, and bob, whose is vm1; each with an image and a job of the same number
users() {
    local n name names=(ann bob)
    go
    for n in 1 2; do
        name=${names[n - 1]}
        echo "secret-$name" | vmvault user create "$name"
        echo "$name:secret-$name" >"$BATS_TEST_TMPDIR/$name"
        vmvault vm backup "vm$((n - 1))" --wait
        vmvault vm chown "vm$((n - 1))" "$name"
        vmvault image chown "$n" "$name"
        as "$name" job create --name "$name" --vms "$(id "vm$((n - 1))")" -d 100
    done
}
as() { ONE_XMLRPC=unix:$VMVAULT_VAR/vmvaultd.socket ONE_AUTH=$BATS_TEST_TMPDIR/$1 vmvault "${@:2}"; }

# cannot USER COMMAND...
cannot() {
    run --separate-stderr as "$@"
    [ "$status" -eq 1 ] && [[ $stderr == *'ot authorized'* ]] || { echo "$*: $status, $output$stderr"; return 1; }
}

@test "two users: neither can list, restore, delete or cancel what is the other's" {
    served 2
    users
    local ids mine theirs user what words
    ids=("$(id vm0)" "$(id vm1)")
    for mine in 0 1; do
        theirs=$((1 - mine))
        user=$([ $mine = 0 ] && echo ann || echo bob)
        for what in vm image job; do
            [ "$(as "$user" "$what" list --csv --no-header -l ID | wc -l)" -eq 1 ]
        done
        [ "$(as "$user" vm list --csv --no-header -l ID)" = "${ids[mine]}" ]
        [ "$(as "$user" image list --csv --no-header -l ID)" = $((mine + 1)) ]
        [ "$(as "$user" job list --csv --no-header -l NAME)" = "$user" ]
        while read -ra words; do
            cannot "$user" "${words[@]}"
        done <<E
vm show ${ids[theirs]}
vm backup ${ids[theirs]} -d 100
vm backup ${ids[theirs]} -d 100 --schedule +3600
vm backup-cancel ${ids[theirs]}
vm restore ${ids[theirs]} $((theirs + 1))
vm restore ${ids[mine]} $((theirs + 1))
vm chown ${ids[theirs]} $((mine + 1))
image show $((theirs + 1))
image restore $((theirs + 1)) -d 1
image delete $((theirs + 1))
image flatten $((theirs + 1)) --keep 1
image protect $((theirs + 1))
job show $((theirs + 1))
job backup $((theirs + 1))
job cancel $((theirs + 1))
job retry $((theirs + 1))
job delete $((theirs + 1))
E
    done
    as ann image delete 1
    eventually has_images 1
}

@test "a user waits for their own backups, and sees those in the queue, and no other's" {
    served 2 'MAX_BACKUPS = 1'
    local name
    for name in ann bob; do
        echo "secret-$name" | vmvault user create "$name"
        echo "$name:secret-$name" >"$BATS_TEST_TMPDIR/$name"
    done
    vmvault vm chown vm0 ann
    vmvault vm chown vm1 bob
    as bob vm backup vm1 -d 100
    eventually called "begins $(id vm1)"
    ONE_XMLRPC=unix:$VMVAULT_VAR/vmvaultd.socket ONE_AUTH=$BATS_TEST_TMPDIR/ann "$BUILD/drivers/cli/vmvault" \
        vm backup vm0 -d 100 --wait >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/said" 3>&- & command=$!
    eventually said "VM $(id vm0) waits for .*MAX_BACKUPS"
    [ "$(as ann queue --all --csv --no-header -l NAME)" = vm0 ]
    [ "$(as bob queue --all --csv --no-header -l NAME)" = vm1 ]
    [ "$(queued NAME --all | sort | xargs)" = 'vm0 vm1' ]
    go
    wait "$command"
    [[ $(cat "$BATS_TEST_TMPDIR/out") == "VM $(id vm0) is backed up: image "* ]]
}

# backed_up_by USER: vm0 has one more restore point
backed_up_by() {
    local points
    points=$(sql 'SELECT count(*) FROM increments')
    as "$1" vm backup vm0
    eventually has_points $((points + 1))
    eventually queue_empty
}
has_points() { [ "$(sql 'SELECT count(*) FROM increments')" -eq "$1" ]; }

@test "a machine that is given away: its next backup is in an image of the new owner" {
    local name
    served 1
    go
    for name in ann bob; do
        echo "secret-$name" | vmvault user create "$name"
        echo "$name:secret-$name" >"$BATS_TEST_TMPDIR/$name"
    done
    vmvault vm chown vm0 ann
    backed_up_by ann
    backed_up_by ann
    vmvault vm chown vm0 bob
    backed_up_by bob
    backed_up_by bob
    grep -q 'a new chain begins: .*another user' "$BATS_TEST_TMPDIR/log"
    [ "$(sql "SELECT id || ':' || owner FROM images ORDER BY id" | xargs)" = "1:$(id_of ann) 2:$(id_of bob)" ]
    [ "$(sql 'SELECT image, count(*) FROM increments GROUP BY image' | xargs)" = '1|2 2|2' ]
    cannot ann image restore 2 -d 1
    cannot ann image delete 2
    cannot bob image restore 1 -d 1
    # Who is given the backups, too, goes on with them.
    vmvault vm chown vm0 ann
    vmvault image chown 2 ann
    backed_up_by ann
    [ "$(sql 'SELECT count(*) FROM increments WHERE image = 2')" -eq 3 ]
}
id_of() { sql "SELECT id FROM users WHERE name = '$1'"; }

# refused FILE: the session in there is nobody's
refused() {
    run --separate-stderr as "$1" vm list
    [ "$status" -eq 1 ] && [[ $stderr == *"couldn't be authenticated"* ]]
}

@test "tokens: a bad, a truncated, an expired and another's are refused" {
    served 1
    echo secret-a | vmvault user create ann
    echo secret-b | vmvault user create bob
    echo ann:secret-a >"$BATS_TEST_TMPDIR/ann"
    as ann user login ann --time 600 --force
    as ann vm list
    sed 's/.$//' "$BATS_TEST_TMPDIR/ann" >"$BATS_TEST_TMPDIR/truncated"
    sed 's/.$/x/' "$BATS_TEST_TMPDIR/ann" >"$BATS_TEST_TMPDIR/bad"
    sed 's/^ann/bob/' "$BATS_TEST_TMPDIR/ann" >"$BATS_TEST_TMPDIR/anothers"
    refused truncated
    refused bad
    refused anothers
    cannot ann user login bob --force
    as ann user login ann --time 1 --force
    eventually refused ann
}
