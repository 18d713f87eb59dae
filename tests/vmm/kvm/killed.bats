# SPDX-License-Identifier: Apache-2.0
# vmm/kvm/backup: what a killed one leaves, and an upload of which nobody was told.

load helper

setup() { setup_drivers; }
teardown() { stop_everything; }

@test "a killed orchestrator takes its step with it, and the next backup undoes first" {
    driver_waits prebackup_live
    start_backup
    eventually waits prebackup_live
    kill -KILL "$backup"
    wait "$backup" || true
    eventually grep -qx 'prebackup_live stopped' "$CALLS"
    [ "$(steps)" = 'tm/qcow2/prebackup_live prebackup_live prebackup_live' ]

    driver_does prebackup_live ''
    rm "$CALLS"
    run -0 --separate-stderr backup < <(message)
    [ "$output" = 'aaaa0000 42 qcow2' ]
    [[ $stderr == *'WARN: '*'in its prebackup: undoing it'* ]]
    [ "$(steps)" = 'tm/qcow2/postbackup_live tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
    stdin_of 1 | grep -q '<BACKUP_RESULT>FAILURE</BACKUP_RESULT>'
    run ! grep -q BACKUP_RESULT <(stdin_of 2)
}

@test "what a killed orchestrator left is undone where that backup was" {
    driver_waits prebackup_live
    start_backup
    eventually waits prebackup_live
    kill -KILL "$backup"
    wait "$backup" || true
    eventually grep -qx 'prebackup_live stopped' "$CALLS"
    rm "$CALLS"
    # The VM has moved, and was powered off, in the meantime.
    run -0 --separate-stderr backup < <(message lcm=70 'words=kvm2:/other/0/12 0 one-12 - 12 0')
    [ "$(sed -n 1p "$CALLS")" = "tm/qcow2/postbackup_live $WORDS" ]
    [ "$(sed -n 2p "$CALLS")" = 'tm/qcow2/prebackup kvm2:/other/0/12 0 one-12 - 12 0' ]
}

# killed_in ACTION [NAME=VALUE...]: a backup of that message whose orchestrator is killed then
killed_in() {
    rm -f "$CALLS"
    driver_does "$1" 'kill -KILL $PPID; echo aaaa0000 42 qcow2'
    run backup < <(message "${@:2}")
    driver_does "$1" 'echo aaaa0000 42 qcow2'
    rm -f "$CALLS"
}

# asked_to_discard RUN: that was the second thing that the last backup did
asked_to_discard() {
    [ "$(sed -n 2p "$CALLS")" = "datastore/restic/discard ${WORDS%% *} $1 - 12" ]
    stdin_of 2 | grep -q '<DS_MAD>restic</DS_MAD>'
    [ "$(steps)" = 'tm/qcow2/postbackup_live datastore/restic/discard tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
}
run_of() { jq -er .run "$VMVAULT_VAR/vmm/12.json"; }

@test "what a killed orchestrator had stored, or perhaps has, is removed by the next backup" {
    local action name
    for action in backup postbackup_live; do
        killed_in $action
        name=$(run_of)
        [[ $name =~ ^[0-9a-f]{16}$ ]]
        run -0 --separate-stderr backup < <(message)
        [ "$output" = 'aaaa0000 42 qcow2' ]
        asked_to_discard "$name"
    done
    [ ! -e "$VMVAULT_VAR/vmm/12.json" ]
}

@test "the datastore's driver gets the name by which that is found" {
    driver_does backup 'jq -r .run "$VMVAULT_VAR/vmm/12.json" >"$CALLS.file"; echo "$VMVAULT_RUN" >"$CALLS.run"; echo aaaa0000 42 qcow2'
    run -0 --separate-stderr backup < <(message)
    [ -s "$CALLS.run" ]
    diff "$CALLS.run" "$CALLS.file"
}

recover() { base64 -w 0 | timeout 90 "$BUILD/vmm/kvm/recover" 12; }

@test "what a killed orchestrator left is undone without a next backup, once" {
    local name
    killed_in backup
    name=$(run_of)
    run -0 --separate-stderr recover < <(message)
    [ -z "$output" ]
    [[ $stderr == *'WARN: '*'in its backup: undoing it'* ]]
    [ "$(steps)" = 'tm/qcow2/postbackup_live datastore/restic/discard' ]
    stdin_of 1 | grep -q '<BACKUP_RESULT>FAILURE</BACKUP_RESULT>'
    [ "$(sed -n 2p "$CALLS")" = "datastore/restic/discard ${WORDS%% *} $name - 12" ]
    [ -z "$(ls "$VMVAULT_VAR/vmm")" ]
    rm "$CALLS"
    run -0 recover < <(message)
    [ -z "$output" ]
    [ ! -e "$CALLS" ]
}

@test "a backup that runs is not undone" {
    driver_waits backup
    start_backup
    eventually waits backup
    run -1 --separate-stderr recover < <(message)
    [[ $(plain_lines <<<"$stderr") == 'VM 12 is already in the orchestrator of a backup '* ]]
    run ! grep -q postbackup "$CALLS"
}

@test "an orchestrator that is killed before the upload has stored nothing" {
    killed_in prebackup_live
    run -0 --separate-stderr backup < <(message)
    run ! grep -q discard "$CALLS"
}

@test "what cannot be removed is named, and the next backup works" {
    killed_in postbackup_live
    driver_does discard 'echo "the repository is gone" >&2; exit 1'
    run -0 --separate-stderr backup < <(message)
    [[ $stderr == *"WARN: "*"'aaaa0000'"*"datastore 100"*"the repository is gone"* ]]
    rm "$VMVAULT_REMOTES/datastore/restic/discard"
    killed_in postbackup_live
    run -0 --separate-stderr backup < <(message)
    [[ $stderr == *"WARN: "*"'aaaa0000'"* ]]
}

@test "what was stored in another datastore is removed there" {
    killed_in postbackup_live
    local name
    name=$(run_of)
    export VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    mkdir -p "$VMVAULT_CORE_DIR/datastores"
    echo '<DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><MARK>old</MARK></DATASTORE>' >"$VMVAULT_CORE_DIR/datastores/100.xml"
    run -0 --separate-stderr backup < <(message store=101)
    asked_to_discard "$name"
    stdin_of 2 | grep -q '<MARK>old</MARK>'
}

# copied_note: the note is a copy of itself
copied_note() {
    cp -a "$VMVAULT_VAR/vmm/12.json" "$BATS_TEST_TMPDIR/note"
    cp -a --remove-destination "$BATS_TEST_TMPDIR/note" "$VMVAULT_VAR/vmm/12.json"
}

@test "a note that is a copy: its backup is undone, and what that has stored is named and stays" {
    local name
    killed_in postbackup_live
    name=$(run_of)
    copied_note
    run -0 --separate-stderr backup < <(message)
    run ! grep -q discard "$CALLS"
    [ "$(steps)" = 'tm/qcow2/postbackup_live tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
    [[ $stderr == *"WARN: "*"stays in datastore 100 (run $name)"* ]]
}

@test "a note of another boot: what its backup has stored is named and stays" {
    killed_in backup
    sed -i 's/"place": "[0-9a-f-]*/"place": "00000000-0000-4000-8000-000000000000/' "$VMVAULT_VAR/vmm/12.json"
    run -0 --separate-stderr backup < <(message)
    run ! grep -q discard "$CALLS"
    [[ $stderr == *"WARN: "*'stays in datastore 100'* ]]
}

# answered [NAME=VALUE...]: a backup of that message whose orchestrator dies as it answers
answered() {
    driver_does postbackup_live 'cp "$VMVAULT_VAR/vmm/12.json" "$CALLS.state"'
    run -0 backup < <(message "$@")
    driver_does postbackup_live ''
    jq '.answered = true | del(.place)' "$CALLS.state" >"$VMVAULT_VAR/vmm/12.json"   # not a copy: as an older version wrote it
    rm "$CALLS"
}

@test "an answer that the core has heard is not taken back; one that it has not is" {
    answered last=3
    run -0 --separate-stderr backup < <(message last=4)
    run ! grep -q discard "$CALLS"
    run ! grep WARN <<<"$stderr"
    answered last=3
    run -0 --separate-stderr backup < <(message last=3)
    grep -q discard "$CALLS"
}

@test "an answer that was not heard, as a copy says, is not taken back, but named" {
    answered last=3
    jq '.place = "0.0.0.0.0.0"' "$VMVAULT_VAR/vmm/12.json" >"$BATS_TEST_TMPDIR/note"
    cp "$BATS_TEST_TMPDIR/note" "$VMVAULT_VAR/vmm/12.json"
    run -0 --separate-stderr backup < <(message last=3)
    run ! grep -q discard "$CALLS"
    [[ $stderr == *"WARN: "*"'aaaa0000 42 qcow2'"* ]]
}

@test "an answer of which nobody knows whether it was heard is not taken back, but named" {
    local next
    for next in last=-1 'last=3 chain=8'; do
        answered last=3
        # shellcheck disable=SC2086
        run -0 --separate-stderr backup < <(message $next)
        run ! grep -q discard "$CALLS"
        [[ $stderr == *"WARN: "*"'aaaa0000 42 qcow2'"* ]]
    done
    answered last=-1
    run -0 --separate-stderr backup < <(message last=-1)
    run ! grep -q discard "$CALLS"
    [[ $stderr == *"WARN: "*"'aaaa0000 42 qcow2'"* ]]
}

@test "who names the newest backup says whether an answer was heard, also that to a full one" {
    local next
    for next in source=bbbb0000 source=; do
        answered last=-1
        run -0 --separate-stderr backup < <(message last=-1 "$next")
        grep -q discard "$CALLS"
        run ! grep WARN <<<"$stderr"
    done
    answered last=-1
    run -0 --separate-stderr backup < <(message last=-1 source=aaaa0000)
    run ! grep -q discard "$CALLS"
    run ! grep WARN <<<"$stderr"
}

@test "an answer that reaches nobody: what was stored is removed" {
    message last=3 | base64 -w 0 >"$BATS_TEST_TMPDIR/request"
    run -1 --separate-stderr bash -c 'exec timeout 90 "$1" 12 <"$2" >/dev/full' _ "$BUILD/vmm/kvm/backup" "$BATS_TEST_TMPDIR/request"
    [ "$(plain_lines <<<"$stderr")" = 'cannot write the reply: No space left on device' ]
    [[ $(tail -n 1 "$CALLS") == 'datastore/restic/discard '* ]]
    [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live datastore/restic/discard' ]
    [ ! -e "$VMVAULT_VAR/vmm/12.json" ]
}

is_answering() { [ "$(jq .answered "$VMVAULT_VAR/vmm/12.json")" = true ]; }

@test "killed as it answers, when nobody has heard it yet: the next backup removes it" {
    local pipe=$BATS_TEST_TMPDIR/pipe
    mkfifo "$pipe"
    message last=3 | base64 -w 0 >"$BATS_TEST_TMPDIR/request"
    exec {full}<>"$pipe"
    dd if=/dev/zero of="$pipe" bs=4k oflag=nonblock 2>/dev/null || true   # it takes no more
    "$BUILD/vmm/kvm/backup" 12 <"$BATS_TEST_TMPDIR/request" >"$pipe" 2>/dev/null 3>&- {full}>&- &
    backup=$!
    eventually is_answering
    kill -KILL "$backup"
    wait "$backup" || true
    exec {full}>&-
    run -0 --separate-stderr backup < <(message last=3)
    grep -q '^datastore/restic/discard' "$CALLS"
}

@test "a driver that is killed, or does not say what it stored, may have stored something" {
    local text
    for text in 'kill -KILL $$' 'echo nonsense'; do
        rm -f "$CALLS"
        driver_does backup "$text"
        run -1 --separate-stderr backup < <(message)
        [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live datastore/restic/discard' ]
    done
}

@test "a cancellation that comes too late for the upload does not count" {
    # Nobody hears of it before the upload has ended, however long that takes.
    driver_does backup 'trap "" TERM; kill -STOP $PPID; kill -TERM $PPID; echo aaaa0000 42 qcow2
        (until [[ $(ps -o stat= -p $$) == Z* ]]; do sleep 0.05; done; kill -CONT $PPID) >/dev/null 2>&1 &'
    run -0 --separate-stderr backup < <(message)
    [ "$output" = 'aaaa0000 42 qcow2' ]
    run ! grep -q FAILURE <(stdin_of 3)
}

@test "an upload that a cancellation does not end is undone beside, and ends then" {
    driver_does backup 'trap "" TERM; kill -TERM $PPID; until [ -e "$CALLS.undone" ]; do sleep 0.05; done; touch "$CALLS.free"; exit 1'
    driver_does postbackup_live 'touch "$CALLS.undone"'
    run --separate-stderr backup < <(message)
    [ "$status" -eq 143 ]
    [ -e "$CALLS.free" ]
    [ "$(grep -c postbackup_live "$CALLS")" -eq 1 ]
    stdin_of 3 | grep -q FAILURE
}

@test "an upload that succeeds after it has been undone is removed, and was cancelled" {
    driver_does backup 'trap "" TERM; kill -TERM $PPID; until [ -e "$CALLS.undone" ]; do sleep 0.05; done; echo aaaa0000 42 qcow2'
    driver_does postbackup_live 'touch "$CALLS.undone"'
    run --separate-stderr backup < <(message)
    [ "$status" -eq 143 ]
    [ -z "$output" ]
    grep -q '^datastore/restic/discard' "$CALLS"
}

@test "the undo goes on when its orchestrator is killed" {
    driver_does prebackup_live 'exit 1'
    mkfifo "$BATS_TEST_TMPDIR/go"
    driver_does postbackup_live "echo undoing >>\"\$CALLS\"; read -r _ <$BATS_TEST_TMPDIR/go; echo undone >>\"\$CALLS\""
    start_backup
    eventually grep -qsx undoing "$CALLS"
    kill -KILL "$backup"
    wait "$backup" || true
    echo >"$BATS_TEST_TMPDIR/go"
    eventually grep -qx undone "$CALLS"
}

@test "a state file that cannot be read does not stop the next backup" {
    mkdir -p "$VMVAULT_VAR/vmm"
    for text in '' '{' '[]' '{"pid":1,"phase":"x","started":"","tm_mad":"../x","live":true,"words":["a","b","c","d","e","f"]}'; do
        rm -f "$CALLS"
        echo "$text" >"$VMVAULT_VAR/vmm/12.json"
        run -0 --separate-stderr backup < <(message)
        [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
    done
}
