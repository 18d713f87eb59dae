# SPDX-License-Identifier: Apache-2.0
# vmvault datastore: servers to which backups can go.

load helper

setup() {
    setup_vmvault
    mkdir -p "$VMVAULT_REMOTES/datastore/rsync"
    local action
    for action in downloader rm monitor increment_flatten verify; do
        cp "$BATS_TEST_DIRNAME/fake_datastore" "$VMVAULT_REMOTES/datastore/rsync/$action"
    done
}

@test "a server is added when it answers, and its description is private" {
    run -0 --separate-stderr vmvault datastore add rsync vault@bk1:/backups --name far --set RSYNC_ARGS='-a --bwlimit=9'
    [[ $output == "datastore 101 'far' added"*"$VMVAULT_VAR/datastores/101.xml" ]]
    [ "$(asked //RSYNC_HOST)" = bk1 ]
    [ "$(stat -c %a "$VMVAULT_VAR/datastores/101.xml")" = 600 ]
    local said
    said=$(xmllint --xpath '//RSYNC_HOST/text() | //RSYNC_USER/text() | //BASE_PATH/text() | //RSYNC_ARGS/text()' \
        "$VMVAULT_VAR/datastores/101.xml" | sort | tr '\n' ' ')
    [ "$said" = '-a --bwlimit=9 /backups bk1 vault ' ]
    run -0 vmvault datastore list --csv --no-header -l ID,NAME,DS,DEFAULT
    [ "$output" = $'100,default,restic,yes\n101,far,rsync,no' ]
    [ "$(VMVAULT_DATASTORE=101 vmvault datastore list --csv --no-header -l ID -f DEFAULT=yes)" = 101 ]
    run --separate-stderr vmvault datastore add rsync bk2:/b --name far
    fails_with 1 "called 'far'"
}

@test "a server that does not answer is not added" {
    echo 'echo "no route to host" >&2; exit 1' >"$FAKE/monitor"
    run --separate-stderr vmvault datastore add rsync bk1:/backups
    fails_with 1 'no route to host'
    [ ! -e "$VMVAULT_VAR/datastores/101.xml" ]
    [ "$(vmvault datastore list --csv --no-header -l ID)" = 100 ]
}

@test "wrong places, kinds and attributes are one line each" {
    run --separate-stderr vmvault datastore add tape bk1:/backups
    fails_with 2 tape
    run --separate-stderr vmvault datastore add rsync bk1
    fails_with 2 ''
    run --separate-stderr vmvault datastore add rsync bk1:/b --set args
    fails_with 2 'NAME=VALUE'
    run --separate-stderr vmvault backup web --datastore 7
    fails_with 2 'no datastore 7' 'datastore list'
}

@test "a backup goes where it is told, and another place begins a new chain" {
    vmvault datastore add rsync bk1:/backups
    vmvault backup web
    run -0 --separate-stderr vmvault backup web --datastore 101
    [[ $stderr == *'the datastore is another one'* ]]
    [ "$(asked //DATASTORE/DS_MAD)" = rsync ]
    [ "$(asked //DATASTORE/ID)" = 101 ]
    VMVAULT_DATASTORE=101 vmvault backup web
    run -0 vmvault show 2 --json
    [ "$(jq -c '[.datastore, (.increments | length)]' <<<"$output")" = '[101,2]' ]
    vmvault delete 2
    [ "$(tail -n 1 "$CALLS")" = 'rm 2' ]
}

@test "nothing is to be pruned on a server" {
    vmvault datastore add rsync bk1:/backups
    run -0 --separate-stderr vmvault datastore prune 101
    [[ $stderr == *'nothing to prune'* ]]
}
