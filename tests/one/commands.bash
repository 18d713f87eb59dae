# SPDX-License-Identifier: Apache-2.0
# For `make check-one`: OpenNebula's own command line, where it is installed, against vmvaultd.

load ../drivers/vmvaultd/helper

setup() {
    # shellcheck disable=SC2086  # two words
    set -- $BATS_TEST_DESCRIPTION
    command -v "${1%:}" >/dev/null || skip "${1%:} is not installed"
    service_setup
    machines 2
    local address
    address=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))
    export ONE_XMLRPC=http://$address:12633/RPC2 ONE_AUTH=$VMVAULT_VAR/one_auth
    unset ONE_POOL_PAGE_SIZE ONE_PAGER
    service_start "PORT = 12633
LISTEN_ADDRESS = \"$address\"
RPO = 0"
    eventually knows_machines
}
teardown() { [ -z "${FAKE-}" ] || service_stop; }

# The first of them is 1000000.
knows_machines() { [ "$(vmvault vm list --csv --no-header 2>/dev/null | wc -l)" -eq 2 ]; }
# backed_up: 1000000; its image is 1
backed_up() {
    vmvault vm backup 1000000 -d 100 >/dev/null
    go
    eventually has_images 1
}

@test "onevm: list, show, updateconf, backup, backup-cancel" {
    run -0 onevm list --csv --list ID,NAME
    [[ $output == *1000000,* && $output == *1000001,* ]]
    printf 'BACKUP_CONFIG=[KEEP_LAST="3"]\n' >"$BATS_TEST_TMPDIR/conf"
    onevm updateconf 1000000 "$BATS_TEST_TMPDIR/conf" --append
    onevm show 1000000 --xml >"$BATS_TEST_TMPDIR/vm"
    [ "$(xmllint --xpath 'string(//BACKUP_CONFIG/KEEP_LAST)' "$BATS_TEST_TMPDIR/vm")" = 3 ]
    onevm backup 1000000 -d 100
    eventually called 'begins 1000000'
    onevm backup-cancel 1000000
    eventually onevm backup 1000000 -d 100   # when the other is gone
    go
    eventually has_images 1
}

@test "oneimage: list, show, restore, delete" {
    backed_up
    run -0 oneimage list --csv --list ID,DATASTORE
    [[ $output == *1,default* ]]
    oneimage show 1 --xml >"$BATS_TEST_TMPDIR/image"
    [ "$(xmllint --xpath 'string(/IMAGE/VMS/ID)' "$BATS_TEST_TMPDIR/image")" = 1000000 ]
    oneimage restore 1 -d 1 --name again
    run -0 oneimage list --csv --list NAME
    [[ $output == *again* ]]
    oneimage delete 1
    eventually has_images 0
}

@test "onedatastore: list, show" {
    run -0 onedatastore list --csv --list ID,NAME
    [[ $output == *100,default* ]]
    run -0 onedatastore show 100
    [[ $output != *"$(cat "$VMVAULT_VAR/restic.password")"* ]]
}

@test "onebackupjob: create, list, show, backup, cancel, retry, delete" {
    printf 'NAME="nightly"\nBACKUP_VMS="1000000"\nDATASTORE_ID="100"\n' >"$BATS_TEST_TMPDIR/job"
    onebackupjob create "$BATS_TEST_TMPDIR/job"
    run -0 onebackupjob list --csv --list ID,NAME
    [[ $output =~ ([0-9]+),nightly ]]
    local job=${BASH_REMATCH[1]}
    onebackupjob backup "$job"
    go
    eventually has_images 1
    onebackupjob show "$job" --xml >"$BATS_TEST_TMPDIR/shown"
    [ "$(xmllint --xpath 'string(//BACKUP_VMS)' "$BATS_TEST_TMPDIR/shown")" = 1000000 ]
    onebackupjob cancel "$job"
    onebackupjob retry "$job"
    onebackupjob delete "$job"
    run -0 onebackupjob list --csv --list NAME
    [[ $output != *nightly* ]]
}
