# SPDX-License-Identifier: Apache-2.0
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

# A full and two increments of VM 12, whose snapshots' ids are in S.
setup_file() {
    local n
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR store_setup
    with_repository
    for n in 0 1 2; do
        rm -f "$FILES"/disk.*
        echo "disk $n" >"$FILES/disk.0.$n"; echo "other $n" >"$FILES/disk.2.$n"
        write_vm_xml
        LAST=$((n - 1)) backup_ok
        echo "$ID" >>"$BATS_FILE_TMPDIR/ids"
    done
}

setup() {
    store_setup
    rmdir "$FILES"
    cp -r "$BATS_FILE_TMPDIR/system" "$BATS_TEST_TMPDIR/"
    cp -r "$BATS_FILE_TMPDIR/base" "$BASE"
    STORED=$BATS_FILE_TMPDIR/system/12/backup   # the directory as the snapshots know it
    mapfile -t S <"$BATS_FILE_TMPDIR/ids"
    IMAGE=$(image "0:${S[0]}" "1:${S[1]}" "2:${S[2]}")
}

ls_action() { "$BUILD/datastore/restic/ls" "$@" < <(request "$(datastore)" "$(vm)" "$IMAGE"); }

@test "ls: each disk's URL ends at the last increment of the chain" {
    run -0 --separate-stderr ls_action
    url="restic://100//0:${S[0]},1:${S[1]},2:${S[2]}$STORED"
    [ "$output" = "{\"0\":\"$url/disk.0.2\",\"2\":\"$url/disk.2.2\"}" ]
}

@test "ls -i: the chain is cut, and the files are those of its end" {
    url="restic://100//0:${S[0]},1:${S[1]}$STORED"
    for option in '-i 1' '--increment 1' '--increment=1'; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr ls_action $option
        [ "$output" = "{\"0\":\"$url/disk.0.1\",\"2\":\"$url/disk.2.1\"}" ]
    done
}

@test "ls: a TPM's state has the key tpm" {
    echo t >"$FILES/disk.tpm.0"
    LAST=1 backup_ok
    IMAGE=$(image "0:$ID")
    run -0 --separate-stderr ls_action
    [ "$(jq -r .tpm <<<"$output")" = "restic://100//0:$ID$FILES/disk.tpm.0" ]
}

@test "ls: the backup of a job names it, legacy rbd has its own protocol" {
    LAST=1
    with_repository job_4
    backup_ok localhost 4
    IMAGE_TEMPLATE='<BACKUP_JOB_ID>4</BACKUP_JOB_ID>' FORMAT=rbd
    IMAGE=$(image "0:$ID")
    run -0 --separate-stderr ls_action -i -1
    [ "$(jq -r '."0"' <<<"$output")" = "restic+rbd://100/4/0:$ID$FILES/disk.0.2" ]
}

@test "ls: a snapshot that is gone is named, never left out" {
    restic_here forget "${S[1]}"
    run -1 --separate-stderr ls_action
    one_line "no snapshot ${S[1]} of the chain"
}

@test "ls: an increment that is not in the image is a bad request" {
    run -2 --separate-stderr ls_action -i 7
    one_line 'no increment 7'
    run -2 --separate-stderr ls_action --all
    one_line 'INCREMENT_ID'
}

stat_action() {
    action datastore/restic/stat 31 \
        < <(request "<IMAGE><PATH>$1</PATH><SIZE></SIZE></IMAGE>" "$(datastore)")
}

@test "stat: the size that the VM's disk had" {
    run -0 --separate-stderr stat_action "restic://100//0:${S[0]},1:${S[1]}$STORED/disk.2.1"
    [ "$output" = 77 ]
}

@test "stat: disk, snapshot and repository that are not there are named" {
    run -1 --separate-stderr stat_action "restic://100//0:${S[0]}$STORED/disk.5.0"
    one_line 'no disk 5'
    run -1 --separate-stderr stat_action "restic://100//0:deadbeef$FILES/disk.0.0"
    one_line 'deadbeef'
    run -1 --separate-stderr stat_action "restic://100/9/0:${S[0]}$STORED/disk.0.0"
    one_line "no restic repository at $BASE/job_9"
    run -2 --separate-stderr stat_action 'rubbish'
    one_line 'URL'
}

@test "rm: all snapshots of the chain go, those of others stay, and again is a success" {
    rm "$FILES"/disk.*; echo x >"$FILES/disk.0.0"
    backup_ok
    run -0 --separate-stderr image_action rm "$IMAGE" 57
    [ -z "$output" ]
    [ "$(snapshots)" = "$ID" ]
    run -0 --separate-stderr image_action rm "$IMAGE" 57
    [ -z "$output$stderr" ]
    run -0 restic_here check --read-data
}

@test "rm: an image without increments is its SOURCE" {
    run -0 image_action rm "<IMAGE><ID>57</ID><SOURCE>${S[2]}</SOURCE><VMS><ID>12</ID></VMS><BACKUP_INCREMENTS/></IMAGE>" 57
    [ "$(snapshots)" = "${S[0]}
${S[1]}" ]
}

@test "rm: where the place is there but no repository, nothing is to be removed" {
    mv "$BASE/12" "$BASE/away"
    run -0 --separate-stderr image_action rm "$IMAGE" 57
    [ -z "$output$stderr" ]
    mv "$BASE" "$BASE.away"   # perhaps not mounted
    run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line "no restic repository at $BASE/12"
}

@test "the exit codes of new releases are understood" {
    with_fakes
    IMAGE=$(image 0:aaaaaaaa)   # which is what it has
    EXTRA='<RESTIC_LOCK_WAIT>0</RESTIC_LOCK_WAIT>'
    FAKE_RESTIC_FAIL=locked run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line 'by PID 7 on bk1'
    FAKE_RESTIC_FAIL=wrong_password run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line 'RESTIC_PASSWORD) is wrong'
    FAKE_RESTIC_FAIL=no_repository run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line 'no restic repository'
}

@test "monitor: three plain numbers, and BASE_PATH is made" {
    BASE=$BATS_TEST_TMPDIR/new/base
    run -0 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    [[ $output =~ ^USED_MB=[0-9]+$'\n'TOTAL_MB=[0-9]+$'\n'FREE_MB=[0-9]+$ ]]
    [ -d "$BASE" ]
    ours=$(sed -n 's/^TOTAL_MB=//p' <<<"$output")
    theirs=$(df -P -B1M "$BASE" | awk 'NR == 2 { print $2 }')
    [ $((theirs - ours)) -le 1 ] && [ $((ours - theirs)) -le 0 ]   # df rounds up
}

@test "monitor: no BASE_PATH, or one that cannot be, is an error" {
    BASE=''
    run -2 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    one_line 'BASE_PATH'
    BASE=/proc/nothing
    run -1 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    one_line '/proc/nothing'
}

@test "a store that is silent is one line, once RESTIC_ANSWER_LIMIT is over" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/bash\n[ "$1" != version ] || exec %q version\nexec sleep 600\n' "$(command -v restic)" >"$bin/restic"
    chmod 755 "$bin/restic"
    export PATH=$bin:$PATH VMVAULT_RESTIC_ANSWER_LIMIT=1
    run -1 --separate-stderr timeout 60 "$BUILD/datastore/restic/ls" < <(request "$(datastore)" "$(vm)" "$IMAGE")
    one_line 'does not answer'
    run -1 --separate-stderr image_action rm "$IMAGE" 57
    one_line 'does not answer'
    run -1 --separate-stderr image_action inventory "$IMAGE" 12
    one_line 'does not answer'
}

@test "requests that are no XML, or lack what is needed, are bad requests of one line" {
    for name in rm stat monitor; do
        run -2 --separate-stderr "$BUILD/datastore/restic/$name" 1 <<<'%%%'
        one_line ''
        run -2 --separate-stderr action datastore/restic/$name 1 <<<'<DS_DRIVER_ACTION_DATA/>'
        one_line 'DATASTORE'
        run -2 --separate-stderr "$BUILD/datastore/restic/$name" </dev/null
        one_line 'expected the arguments'
    done
    run -2 --separate-stderr "$BUILD/datastore/restic/ls" <<<'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    one_line ''
    run -2 --separate-stderr "$BUILD/datastore/restic/backup_cancel" x <<<'<VM/>'
    one_line 'DEPLOY_ID'
}

@test "what a backup datastore does not do, it says so" {
    for name in cp clone mkfs snap_delete snap_revert snap_flatten; do
        run -1 --separate-stderr action datastore/restic/$name 57 <<<'<DS_DRIVER_ACTION_DATA/>'
        one_line "$name: Operation not supported"
    done
}

@test "without a running backup a cancel is a success" {
    run -0 "$BUILD/datastore/restic/backup_cancel" "localhost:$VMDIR" one-12 <<<'<VM><ID>12</ID></VM>'
    [ -z "$output" ]
}
