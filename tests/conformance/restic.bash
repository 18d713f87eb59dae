# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the backends of restic share of the settings for datastore.bash.
source "$ROOT/tests/datastore/restic/restic.bash"

MAD=restic
SECRET_ERROR='RESTIC_PASSWORD) is wrong'

restic_settings() {
    export VMVAULT_RESTIC_LOCK_WAIT=120 VMVAULT_RESTIC_CANCEL_LIMIT=60
    PASSWORD=s3same
    BACKEND='<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
}

store_ready() { with_repository "$1"; }
names() { REPO=$1 snapshots; }
at_rest() { [ -z "$(REPO=$1 locks)" ]; }
slow() { EXTRA='<RESTIC_BWLIMIT>500</RESTIC_BWLIMIT>'; }
wrong_secret() { PASSWORD=wrong; }

hold() {
    # exec: HOLDER is restic itself.
    (PASSWORD=$PASSWORD REPO=$1 EXEC=exec restic_here check --read-data --limit-download 10) >/dev/null 2>&1 3>&- &
    HOLDER=$!
    eventually is_held "$1"
}
is_held() { ! at_rest "$1"; }
release() {
    kill -9 $HOLDER
    wait $HOLDER || true
}

# For backends that keep it below BASE.
small_base() {
    [ "$(id -u)" -eq 0 ] || skip 'mounting a small tmpfs needs root'
    BASE=$BATS_TEST_TMPDIR/small
    mkdir "$BASE"
    mount -t tmpfs -o size=4m none "$BASE" || skip 'no mount here'
}
roomy_base() { mount -o remount,size=100m "$BASE"; }
teardown() { ! mountpoint -q "$BATS_TEST_TMPDIR/small" || umount "$BATS_TEST_TMPDIR/small"; }
