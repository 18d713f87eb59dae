# SPDX-License-Identifier: Apache-2.0
# What is peculiar to S3; tests/conformance/ does with it what every backend must do.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup_file() { s3_start; }
teardown_file() { s3_stop; }

setup() {
    store_setup
    VM=$((100 + BATS_TEST_NUMBER))
    s3_backend
    echo disk >"$FILES/disk.0.0"
    write_vm_xml
}

@test "the keys, whatever is in them, are in no command line and no word" {
    with_repository $VM
    spy_on_restic
    run -0 --separate-stderr backup
    [ -z "$stderr" ]
    [ "$(snapshots)" = "${output%% *}" ]
    grep -q 'restic argument.*backup' "$SPIED"
    run ! grep -aF -e "$S3_ACCESS_KEY" -e "${S3_SECRET_KEY##*$'\n'}" "$SPIED"
}

@test "a wrong key is an error that does not quote it, and makes nothing" {
    S3_SECRET_KEY=under-the-rose s3_backend
    run -1 --separate-stderr backup
    one_line 'Access Denied'
    [[ $stderr != *rose* && $stderr != *$S3_ACCESS_KEY* ]]
    [ -z "$("$FIXTURES/s3" list $S3_BUCKET/$VM/)" ]
}

@test "a bucket that is not there is made by a full backup, and missed by an increment" {
    local new=bucket$VM
    BACKEND=${BACKEND/>$S3_BUCKET</>$new<}
    mv "$FILES/disk.0.0" "$FILES/disk.0.1"
    LAST=0 run -1 --separate-stderr backup
    one_line 'is not there'
    mv "$FILES/disk.0.1" "$FILES/disk.0.0"
    backup_ok
    S3_BUCKET=$new
    [ "$(snapshots)" = "$ID" ]
}

@test "the VMs of a job share one place" {
    with_repository job_4
    backup_ok localhost 4
    REPO=job_4
    [ "$(snapshots)" = "$ID" ]
    "$FIXTURES/s3" list $S3_BUCKET/job_4/ | grep -q "^$S3_BUCKET/job_4/snapshots/"
}

@test "over TLS only certificates that are known will do, or any if one insists" {
    with_repository $VM
    s3_backend "$S3_TLS_URL"
    run -1 --separate-stderr backup
    one_line 'certificate'
    EXTRA="<RESTIC_S3_CACERT>$S3_CACERT</RESTIC_S3_CACERT>"
    backup_ok
    EXTRA='<RESTIC_S3_INSECURE_TLS>yes</RESTIC_S3_INSECURE_TLS>'
    backup_ok
    EXTRA='<RESTIC_S3_INSECURE_TLS>no</RESTIC_S3_INSECURE_TLS>'
    run -1 --separate-stderr backup
    one_line 'certificate'
}

@test "what is missing of the attributes is named" {
    local name
    for name in RESTIC_S3_BUCKET RESTIC_S3_ACCESS_KEY_ID RESTIC_S3_SECRET_ACCESS_KEY; do
        s3_backend
        BACKEND=${BACKEND//$name>/X>}
        run -2 --separate-stderr backup
        one_line "datastore 100 has no $name"
    done
}

@test "monitor: what the core's images have, of TOTAL_MB" {
    local image='<TYPE>6</TYPE><DATASTORE_ID>100</DATASTORE_ID>'
    EXTRA='<TOTAL_MB>5000</TOTAL_MB>'
    echo "<IMAGE_POOL><IMAGE>$image<SIZE>3000</SIZE></IMAGE><IMAGE>$image<SIZE>83</SIZE></IMAGE>
        <IMAGE><TYPE>6</TYPE><DATASTORE_ID>101</DATASTORE_ID><SIZE>9</SIZE></IMAGE></IMAGE_POOL>" \
        >"$VMVAULT_CORE_DIR/imagepool.xml"
    run -0 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    [ "$output" = $'USED_MB=3083\nTOTAL_MB=5000\nFREE_MB=1917' ]
    EXTRA='<TOTAL_MB>3000</TOTAL_MB>'
    run -0 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    [ "${lines[2]}" = FREE_MB=0 ]
    EXTRA=''
    run -0 --separate-stderr action datastore/restic/monitor 100 < <(request "$(datastore)")
    [ "${lines[1]}" = TOTAL_MB=1048576 ]
}
