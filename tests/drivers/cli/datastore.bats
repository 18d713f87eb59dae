# SPDX-License-Identifier: Apache-2.0
# vmvault datastore: servers to which backups can go.

load helper
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

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
    run -0 vmvault datastore list --csv --no-header -l SIZE,FREE -f ID=101
    [ "$output" = -,- ]   # nobody has monitored it
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
    fails_with 1 'no datastore 7' 'datastore list'
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

@test "a machine that is configured for another datastore is backed up there, unless it is told where to" {
    vmvault datastore add rsync bk1:/backups
    vmvault backup web
    sql "INSERT INTO settings VALUES ('VM', $(vmvault vm list --csv --no-header -l ID), 'DATASTORE_ID', '101')"
    vmvault backup web
    [ "$(asked //DATASTORE/ID)" = 101 ]
    VMVAULT_DATASTORE=100 vmvault backup web
    [ "$(asked //DATASTORE/ID)" = 101 ]
    vmvault backup web --datastore 100
    [ "$(asked //DATASTORE/ID)" = 100 ]
}

@test "a datastore that is not there is not pruned" {
    run -1 --separate-stderr vmvault datastore prune 999
    [[ $stderr == "vmvault: there is no datastore 999 ("* ]]
}

@test "nothing is to be pruned on a server" {
    vmvault datastore add rsync bk1:/backups
    run -0 --separate-stderr vmvault datastore prune 101
    [[ $stderr == *'nothing to prune'* ]]
}

# template LINES...: of a datastore on bk1, in $BATS_TEST_TMPDIR/template
template() {
    printf '%s\n' 'NAME = "far"' 'TYPE = "BACKUP_DS"' 'DS_MAD = "rsync"' 'RSYNC_HOST = "bk1"' "$@" >"$BATS_TEST_TMPDIR/template"
}

@test "one is created of a template, and deleted when nothing is in it; no number comes again" {
    template 'RSYNC_USER = "vault"' 'BASE_PATH = "/b"'
    run -0 vmvault datastore create "$BATS_TEST_TMPDIR/template"
    [ "$output" = 'ID: 101' ]
    [ "$(asked //RSYNC_USER),$(asked //BASE_PATH),$(asked //DATASTORE/TM_MAD)" = vault,/b,- ]
    vmvault backup web --datastore 101
    run -1 --separate-stderr vmvault datastore delete far
    fails_with 1 'not empty: image 1'
    vmvault delete 1
    VMVAULT_DATASTORE=101 run -1 --separate-stderr vmvault datastore delete far
    fails_with 1 'setting DATASTORE'
    vmvault datastore delete far
    [ ! -e "$VMVAULT_VAR/datastores/101.xml" ]
    run -1 --separate-stderr vmvault datastore delete 101
    fails_with 1 'no datastore 101'
    run -1 --separate-stderr vmvault backup web --datastore 101
    fails_with 1 'no datastore 101'
    run -1 --separate-stderr vmvault datastore delete 100
    fails_with 1 stays
    vmvault datastore add rsync bk1:/b --name far
    [ "$(vmvault datastore list --csv --no-header -l ID)" = $'100\n102' ]
}

@test "a template that is none, or whose server does not answer, makes no datastore" {
    template 'DS_MAD = "tape"'
    run -2 --separate-stderr vmvault datastore create "$BATS_TEST_TMPDIR/template"
    fails_with 2 tape
    template 'KEEP_LAST = 3'
    run -2 --separate-stderr vmvault datastore create "$BATS_TEST_TMPDIR/template"
    fails_with 2 KEEP_LAST
    template 'RSYNC_ARGS = [ A = 1 ]'
    run -2 --separate-stderr vmvault datastore create "$BATS_TEST_TMPDIR/template"
    fails_with 2 RSYNC_ARGS
    template
    echo 'echo "no route to host" >&2; exit 1' >"$FAKE/monitor"
    run -1 --separate-stderr vmvault datastore create "$BATS_TEST_TMPDIR/template"
    fails_with 1 'no route to host'
    [ "$(vmvault datastore list --csv --no-header -l ID)" = 100 ]
}

@test "a copy of a state does nothing to what the original has on a server" {
    vmvault datastore add rsync bk1:/backups
    vmvault backup web --datastore 101
    vmvault backup web --datastore 101
    local original=$VMVAULT_VAR command
    cp -a "$VMVAULT_VAR" "$VMVAULT_VAR.copy"
    VMVAULT_VAR+=.copy
    sed -i "s,$original/repo,$VMVAULT_VAR/repo," "$VMVAULT_VAR/datastores/100.xml"   # which says nothing of the server
    : >"$CALLS"
    for command in 'backup web --datastore 101' 'flatten 1 --keep 1' 'delete 1' gc; do
        # shellcheck disable=SC2086  # words
        run --separate-stderr vmvault $command
        fails_with 1 "'$VMVAULT_VAR' is a copy of '$original'"
    done
    [ ! -s "$CALLS" ]
    vmvault verify 1 || true   # is asked, whatever the fake says
    grep -q '^verify' "$CALLS"
}
