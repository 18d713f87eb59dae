# SPDX-License-Identifier: Apache-2.0
# vmm/kvm/backup: the order of the steps, what each is told, and what happens when one fails.

load helper

setup() { setup_drivers; }
teardown() { stop_everything; }

replay() {
    local recorded=$BATS_TEST_DIRNAME/recorded/$1
    install -D "$BATS_TEST_DIRNAME/driver" "$VMVAULT_REMOTES/datastore/rsync/backup"
    driver_does backup "cat '$recorded/reply'"
    "$BUILD/vmm/kvm/backup" 2 <"$recorded/request" >"$BATS_TEST_TMPDIR/reply"
    diff "$recorded/reply" "$BATS_TEST_TMPDIR/reply"
    diff "$recorded/calls" "$CALLS"
    diff "$recorded/vm.xml" <(stdin_of 1)
    diff "$recorded/datastore.xml" <(stdin_of 2)
    diff "$recorded/vm.xml" <(stdin_of 3)
}

@test "a recorded backup of a powered-off VM is repeated to the letter" { replay poweroff-full; }
@test "a recorded backup of a running VM is repeated to the letter" { replay running-full; }
@test "a recorded increment is repeated to the letter" { replay running-increment-1; }
@test "a recorded backup into an rsync datastore is repeated to the letter" { replay rsync-poweroff-full; }

@test "a reply without a format means raw" {
    driver_does backup 'echo aaaa0000 42'
    run -0 --separate-stderr backup < <(message)
    [ "$output" = 'aaaa0000 42 raw' ]
}

@test "each step leaves a line in the log, in the words that tools look for" {
    run -0 --separate-stderr backup < <(message)
    [[ ${stderr_lines[0]} == 'INFO: '*'Successfully execute transfer manager driver operation: prebackup_live.' ]]
    [[ ${stderr_lines[1]} == 'INFO: '*'Successfully execute datastore driver operation: backup.' ]]
    [[ ${stderr_lines[2]} == 'INFO: '*'Successfully execute transfer manager driver operation: postbackup_live.' ]]
    [ ${#stderr_lines[@]} -eq 3 ]
}

@test "a state file that cannot be written skips neither a step nor the undo" {
    driver_does prebackup_live "rm -rf '$VMVAULT_VAR/vmm'"
    run -0 --separate-stderr backup < <(message)
    [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
    driver_does backup 'echo "no room" >&2; exit 1'
    : >"$CALLS"
    run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'no room' ]
    [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live' ]
}

@test "when prebackup fails, postbackup hears of the failure and nothing is stored" {
    driver_does prebackup_live 'echo "ERROR: virsh: long story" >&2; echo "cannot freeze the guest" >&2; exit 1'
    run -1 --separate-stderr backup < <(message)
    [ -z "$output" ]
    [ "$(plain_lines <<<"$stderr")" = 'cannot freeze the guest' ]
    [[ $stderr == *'ERROR: virsh: long story'* ]]
    [[ $stderr == *'Failed to execute transfer manager driver operation: prebackup_live.'* ]]
    [ "$(steps)" = 'tm/qcow2/prebackup_live tm/qcow2/postbackup_live' ]
    [ "$(sed -n 2p "$CALLS")" = "tm/qcow2/postbackup_live $WORDS" ]
    stdin_of 2 | grep -q '<BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>'
}

@test "when the datastore's driver fails, postbackup hears of the failure" {
    driver_does backup 'echo "repository is locked" >&2; echo "by somebody" >&2; exit 255'
    run -1 --separate-stderr backup < <(message lcm=70)
    [ -z "$output" ]
    [ "$(plain_lines <<<"$stderr")" = 'repository is locked by somebody' ]
    [ "$(steps)" = 'tm/qcow2/prebackup datastore/restic/backup tm/qcow2/postbackup' ]
    stdin_of 3 | grep -q '<BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>'
}

@test "a step that fails without a word is named" {
    driver_does prebackup_live 'exit 7'
    run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'prebackup_live ended with status 7' ]
}

@test "a step that is killed is a step that failed" {
    driver_does prebackup_live 'kill -KILL $$'
    run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'prebackup_live was killed by SIGKILL, as the kernel does where memory is short' ]
    [ "$(steps)" = 'tm/qcow2/prebackup_live tm/qcow2/postbackup_live' ]
}

@test "an undo that fails does not change the error" {
    driver_does prebackup_live 'echo "cannot freeze the guest" >&2; exit 1'
    driver_does postbackup_live 'echo "host is gone" >&2; exit 1'
    run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'cannot freeze the guest' ]
    [[ $stderr == *'ERROR: '*'host is gone'* ]]
}

@test "a backup that is stored is a success, even if tidying up fails" {
    driver_does postbackup_live 'echo "host is gone" >&2; exit 1'
    run -0 --separate-stderr backup < <(message)
    [ "$output" = 'aaaa0000 42 qcow2' ]
    [[ $stderr == *'ERROR: '*'host is gone'* ]]
    [ -z "$(plain_lines <<<"$stderr")" ]
}

@test "tidying up that was killed, or failed, is done again, after a success and after a failure" {
    local how
    for how in 'kill -KILL $$' 'exit 1'; do
        rm -f "$CALLS" "$BATS_TEST_TMPDIR/tried"
        driver_does prebackup_live ''
        driver_does postbackup_live '[ -e '"$BATS_TEST_TMPDIR"'/tried ] || { touch '"$BATS_TEST_TMPDIR"'/tried; '"$how"'; }'
        run -0 --separate-stderr backup < <(message)
        [ "$output" = 'aaaa0000 42 qcow2' ]
        [[ $stderr == *'WARN: '*'it is done again'* && $stderr != *ERROR:*tidying* ]]
        [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup tm/qcow2/postbackup_live tm/qcow2/postbackup_live' ]
        cmp <(stdin_of 3) <(stdin_of 4)
        rm "$CALLS" "$BATS_TEST_TMPDIR/tried"
        driver_does prebackup_live 'exit 1'
        run -1 --separate-stderr backup < <(message)
        [ "$(steps)" = 'tm/qcow2/prebackup_live tm/qcow2/postbackup_live tm/qcow2/postbackup_live' ]
        stdin_of 3 | grep -q FAILURE
    done
}

@test "a datastore's driver that does not say what it stored has failed" {
    for reply in '' 'aaaa0000' 'aaaa0000 much raw' 'aaaa0000 -1 raw' 'aaaa0000 42 raw more'; do
        rm -f "$CALLS"
        driver_does backup "echo '$reply'"
        run -1 --separate-stderr backup < <(message)
        [ -z "$output" ]
        [ "$(plain_lines <<<"$stderr")" = "the datastore driver 'restic' did not say what it stored" ]
        stdin_of 3 | grep -q FAILURE
    done
}

@test "a step that does not end in time is stopped and undone" {
    driver_waits prebackup_live
    VMVAULT_STEP_DEADLINE_PREBACKUP=1 run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'prebackup_live did not end within 1 s, and was stopped' ]
    told_to_stop prebackup_live
    [[ $(tail -n 1 "$CALLS") == tm/qcow2/postbackup_live* ]]
}

# driver_gets_stuck ACTION: in a call to a file system that does not answer
driver_gets_stuck() {
    mkdir "$BATS_TEST_TMPDIR/stuck"
    "$FIXTURES/stuck" "$BATS_TEST_TMPDIR/stuck" >"$BATS_TEST_TMPDIR/said" 3>&- &
    stuck=$!
    eventually [ -s "$BATS_TEST_TMPDIR/said" ]
    [ "$(<"$BATS_TEST_TMPDIR/said")" = ready ] || skip "$(<"$BATS_TEST_TMPDIR/said")"
    driver_does "$1" "echo \$\$ >'$BATS_TEST_TMPDIR/pid'; exec stat '$BATS_TEST_TMPDIR/stuck/file'"
}
is_stuck() { grep -qx asked "$BATS_TEST_TMPDIR/said"; }
# left_behind: what came after it has been done, and it is still there
left_behind() {
    [[ $(tail -n 1 "$CALLS") == tm/qcow2/postbackup_live* ]]
    run ! is_gone "$(cat "$BATS_TEST_TMPDIR/pid")"
    kill $stuck
    eventually is_gone "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "a step that not even SIGKILL ends is left behind, and undone" {
    driver_gets_stuck prebackup_live
    # A slow machine has to bring it that far before.
    VMVAULT_STEP_DEADLINE_PREBACKUP=10 run -1 --separate-stderr backup < <(message)
    is_stuck
    [ "$(plain_lines <<<"$stderr")" = 'prebackup_live did not end within 10 s, and was stopped' ]
    left_behind
}

@test "a step that not even SIGKILL ends does not hold a cancellation up" {
    driver_gets_stuck prebackup_live
    start_backup
    eventually is_stuck
    kill -TERM "$backup"
    eventually is_gone "$backup"
    status=0; wait "$backup" || status=$?
    [ "$status" -eq 143 ]
    [ "$(plain_lines <"$BATS_TEST_TMPDIR/err")" = cancelled ]
    left_behind
}

@test "the undo has a deadline of its own" {
    driver_does prebackup_live 'exit 1'
    driver_waits postbackup_live
    VMVAULT_STEP_DEADLINE_POSTBACKUP=1 run -1 --separate-stderr backup < <(message)
    [ "$(plain_lines <<<"$stderr")" = 'prebackup_live ended with status 1' ]
    [[ $stderr == *'postbackup_live did not end within 1 s'* ]]
    told_to_stop postbackup_live
}

@test "a deadline that is no number is an error before anything is touched" {
    VMVAULT_STEP_DEADLINE_BACKUP=soon run -1 --separate-stderr backup < <(message)
    [[ $stderr == *STEP_DEADLINE_BACKUP* ]]
    [ ! -e "$CALLS" ]
}

@test "SIGTERM stops the step, undoes, and ends as cancelled" {
    driver_waits prebackup_live
    start_backup
    eventually waits prebackup_live
    kill -TERM "$backup"
    eventually is_gone "$backup"
    status=0; wait "$backup" || status=$?
    [ "$status" -eq 143 ]
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    [ "$(plain_lines <"$BATS_TEST_TMPDIR/err")" = cancelled ]
    grep -qx 'prebackup_live stopped' "$CALLS"
    [ "$(tail -n 1 "$CALLS")" = "tm/qcow2/postbackup_live $WORDS" ]
    stdin_of 2 | grep -q '<BACKUP_RESULT>FAILURE</BACKUP_RESULT>'
}

@test "SIGTERM while tidying up does not take back a backup that is stored" {
    driver_does postbackup_live 'kill -TERM $PPID; echo tidied >>"$CALLS"'
    run -0 --separate-stderr backup < <(message)
    [ "$output" = 'aaaa0000 42 qcow2' ]
    grep -qx tidied "$CALLS"
}

@test "what cannot be understood is refused before anything is touched" {
    local many='kvm1:/d 0 one-12 - 12 0'
    local -A bad=(
        ['one word too few']="words=${many% *}"
        ['one word too many']="words=$many 7"
        ['an empty deploy id']='words=kvm1:/d 0  - 12 0'
        ['no directory']='words=kvm1 0 one-12 - 12 0'
        ['a directory upwards']='words=kvm1:/a/../b 0 one-12 - 12 0'
        ['a host that is an option']='words=-oProxyCommand=x:/d 0 one-12 - 12 0'
        ['no disks']='words=kvm1:/d - one-12 - 12 0'
        ['another VM in the command']='words=kvm1:/d 0 one-12 - 13 0'
        ['another VM in the document']='vm=13'
        ['a job that is none']='words=kvm1:/d 0 one-12 x 12 0'
        ['a datastore that is none']='words=kvm1:/d 0 one-12 - 12 x'
        ['another verb']='verb=BACKUPCANCEL'
        ['a transfer driver that is a path']='tm=../restic'
        ['a transfer driver that is hidden']='tm=.qcow2'
        ['a datastore driver that is a path']='ds=../tm/qcow2'
        ['a datastore driver that is an option']='ds=-x'
    )
    for what in "${!bad[@]}"; do
        echo "$what"
        run -2 --separate-stderr backup < <(message "${bad[$what]}")
        [ -z "$output" ]
        [ ${#stderr_lines[@]} -eq 1 ]
    done
    [ ! -e "$CALLS" ]
}

@test "a request that is no XML, or no base64, is refused with one line" {
    for text in '' 'hello' '<VM>' "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"; do
        run -2 --separate-stderr backup <<<"$text"
        [ ${#stderr_lines[@]} -eq 1 ]
    done
    run -2 --separate-stderr "$BUILD/vmm/kvm/backup" 12 <<<'%%%'
    [ ${#stderr_lines[@]} -eq 1 ]
    [ ! -e "$CALLS" ]
}

@test "a missing element is named" {
    run -2 --separate-stderr backup < <(message ds=)
    [ "$stderr" = 'Cannot perform BACKUP, expecting DATASTORE/DS_MAD' ]
    run -2 --separate-stderr backup < <(message | sed 's/TM_COMMAND>/OTHER>/g')
    [ "$stderr" = 'Cannot perform BACKUP, expecting TM_COMMAND' ]
}

@test "a driver that is not there is named, and nothing is touched" {
    run -1 --separate-stderr backup < <(message tm=ceph)
    [ "$stderr" = "Transfer Driver 'ceph' not available" ]
    run -1 --separate-stderr backup < <(message ds=borg)
    [ "$stderr" = "Datastore Driver 'borg' not available" ]
    rm "$VMVAULT_REMOTES/tm/qcow2/postbackup_live"
    run -1 --separate-stderr backup < <(message)
    [ "$stderr" = "Driver path '$VMVAULT_REMOTES/tm/qcow2/postbackup_live' does not exists" ]
    [ ! -e "$CALLS" ]
}

@test "a second backup of the same VM is refused, and does not disturb the first" {
    driver_waits backup
    start_backup
    eventually waits backup
    run -1 --separate-stderr backup < <(message)
    [ ${#stderr_lines[@]} -eq 1 ]
    [[ $stderr == *'VM 12 '*"$backup"* ]]
    kill -0 "$backup"
    [ "$(steps)" = 'tm/qcow2/prebackup_live datastore/restic/backup backup' ]
}

@test "another VM may be backed up meanwhile" {
    driver_waits backup
    start_backup
    eventually waits backup
    driver_does backup 'echo bbbb1111 1 raw'
    run -0 --separate-stderr action vmm/kvm/backup 120 \
        < <(message vm=120 'words=kvm1:/var/lib/one//datastores/0/120 0 one-120 - 120 0')
    kill -0 "$backup"
}

@test "while it runs, the state file says what it does; then it is gone" {
    local state=$VMVAULT_VAR/vmm/12.json
    driver_waits backup
    start_backup
    eventually waits backup
    grep -q '"phase": "backup"' "$state"
    grep -q "\"pid\": $backup" "$state"
    grep -q '"host": "kvm1"' "$state"
    grep -q '"dir": "/var/lib/one/datastores/0/12"' "$state"
    [ "$(stat -c %a "$state")" = 600 ]
    run ! grep -rq s3cret "$VMVAULT_VAR"
    kill -TERM "$backup"
    eventually is_gone "$backup"
    [ ! -e "$state" ]
}

@test "how far the upload is is told in a file, which goes with it, or where the caller wants it" {
    driver_does backup 'echo "{\"step\":\"upload\",\"done\":1,\"total\":2}" >"$VMVAULT_PROGRESS"
        cp "$VMVAULT_VAR/vmm/12.progress" "$CALLS.seen" 2>/dev/null; echo aaaa0000 42 qcow2'
    run -0 backup < <(message)
    run -0 jq .done "$CALLS.seen"
    [ "$output" -eq 1 ]
    [ -z "$(ls "$VMVAULT_VAR/vmm")" ]
    rm "$CALLS.seen"
    VMVAULT_PROGRESS=$BATS_TEST_TMPDIR/mine run -0 backup < <(message)
    [ -s "$BATS_TEST_TMPDIR/mine" ] && [ ! -e "$CALLS.seen" ]
}

@test "no secret is in the arguments of a step" {
    run -0 --separate-stderr backup < <(message)
    run ! grep -q s3cret "$CALLS"
    stdin_of 2 | grep -q s3cret
    [[ $stderr != *s3cret* ]]
}
