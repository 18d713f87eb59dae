# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# restic on S3, which is a private radosgw.
source "$ROOT/tests/conformance/restic.bash"

store_begin() { s3_start; }
store_end() { s3_stop; }
store_settings() {
    restic_settings
    s3_backend
}
unreachable() {
    s3_backend http://127.0.0.1:1
    UNREACHABLE_ERROR='connection refused'
}
small() {
    "$FIXTURES/radosgw" limit "$BATS_FILE_TMPDIR/s3" 1000000
}
roomy() { "$FIXTURES/radosgw" limit "$BATS_FILE_TMPDIR/s3" -1; }
