# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the ways to an rsync server share of the settings for datastore.bash: the server is a private
# sshd, and so is the host of the VM.
source "$ROOT/tests/datastore/rsync/rsync.bash"

MAD=rsync
SECRET_ERROR='ermission denied'
UNREACHABLE_ERROR="'unreachable'"

store_begin() { SSH_SHARED=1 rsync_server_start; }
store_end() { rsync_server_stop; }
store_settings() {
    rsync_settings
    HOST=node1
}
store_ready() { mkdir -p "$BASE/$1"; }
at_rest() { [ -z "$(leftovers "$1")" ]; }
# Those of a job are in the places of its machines.
names() {
    case $1 in
        job_*) backups_of $((${1#job_} - 100)) $((${1#job_} - 50)) ;;
        *) backups_of "$1" ;;
    esac
}
slow() { ARGS='-aS --bwlimit=500'; }
wrong_secret() { SERVER_USER=stranger; }
unreachable() { SERVER=unreachable; }
hold() { skip 'nobody holds a place for himself there'; }
release() { :; }

small() {
    [ "$(id -u)" -eq 0 ] || skip 'mounting a small tmpfs needs root'
    BASE=$BATS_TEST_TMPDIR/small
    mkdir "$BASE"
    mount -t tmpfs -o size=4m none "$BASE" || skip 'no mount here'
    publish_datastore
}
roomy() { mount -o remount,size=100m "$BASE"; }
teardown() { ! mountpoint -q "$BATS_TEST_TMPDIR/small" || umount "$BATS_TEST_TMPDIR/small"; }
