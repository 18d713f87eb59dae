# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# For tests that talk to the server of an rsync datastore: its directory is $BASE, the VM is 7.

setup() {
    BASE=$BATS_TEST_TMPDIR/base
    SRC=$BATS_TEST_TMPDIR/src
    mkdir "$BASE" "$SRC"
}

ask() { "$ROOT/tests/fixtures/rsync_client" ask "$@"; }
# list|remove NAME...
list() { ask list base="$BASE" vm=7 names="$(_names "$@")"; }
remove() { ask remove base="$BASE" vm=7 names="$(_names "$@")"; }
_names() { jq -nc '$ARGS.positional' --args "$@"; }
# receive NAME FILE... -- STEP...
receive() { "$ROOT/tests/fixtures/rsync_client" receive "$BASE" 7 "$@"; }

# stored NAME: a small backup under that name
stored() {
    mkdir -p "$BASE/7/$1"
    head -c 4096 /dev/urandom >"$BASE/7/$1/disk.0.0"
    printf xml >"$BASE/7/$1/vm.xml"
}

# begun MARK ARG...: `receive` in the background, until it has come to its step mark:MARK
begun() {
    receive "${@:2}" 3>&- &
    eventually [ -s "$1" ]
}
# kill_both MARK: the server, and the client that waits there
kill_both() {
    # shellcheck disable=SC2046
    kill -9 $(cat "$1")
    eventually eval '! kill -0 $(cat "'"$1"'") 2>/dev/null'
}
