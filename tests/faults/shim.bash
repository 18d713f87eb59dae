# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Stops a command of ours at an exact step: see shim.c.

SHIM=$BUILD/tests/faults/shim.so

# shim_run POINT COMMAND...: runs it in the background, as $shim_command, and waits until a process of
# it stands still at the point: $shim_pid
shim_run() {
    local file=$BATS_TEST_TMPDIR/shim.pid
    [ -e "$SHIM" ] || { echo "$SHIM is missing (make check makes it)" >&2; return 1; }
    rm -f "$file"
    # The sanitizers insist on being first, unless told.
    LD_PRELOAD=$SHIM FAULT_FILE=$file FAULT_POINT=$1 ASAN_OPTIONS=verify_asan_link_order=0 \
        "${@:2}" >"$BATS_TEST_TMPDIR/shim.out" 2>&1 3>&- &
    shim_command=$!
    eventually _shim_stands "$file" || { cat "$BATS_TEST_TMPDIR/shim.out"; return 1; }
    shim_pid=$(<"$file")
}

# shellcheck disable=SC2317 # called by eventually
_shim_stands() {
    if [ -s "$1" ]; then
        [[ $(ps -o stat= -p "$(<"$1")") == T* ]]
    else
        ! is_gone "$shim_command" || { echo 'it ended without coming to the point' >&2; EVENTUALLY=0; return 1; }
        return 1
    fi
}

shim_go_on() { kill -CONT "$shim_pid"; }

# shim_wait: for the end of the command, which must be a success
shim_wait() {
    wait "$shim_command" || { cat "$BATS_TEST_TMPDIR/shim.out"; return 1; }
}

# For teardown: nobody stands still for ever.
shim_end() {
    [ -z "${shim_pid-}" ] || kill -CONT "$shim_pid" 2>/dev/null || true
}
