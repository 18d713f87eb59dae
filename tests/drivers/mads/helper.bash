# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A front-end with a driver that the test talks to, as the core does.

load ../../helper.bash

# front_end: its directories, and executables that do what the test says (see ./executable)
front_end() {
    export ONE_LOCATION="$BATS_TEST_TMPDIR/one front" VMVAULT_VAR=$BATS_TEST_TMPDIR/var
    export REMOTES=$ONE_LOCATION/var/remotes CALLS=$BATS_TEST_TMPDIR/calls
    mkdir -p "$REMOTES" "$ONE_LOCATION/etc"
    unset VMVAULT_REMOTES
}

# executable NAME [TEXT]: an executable below the remotes that does TEXT, in bash
executable() {
    mkdir -p "$(dirname "$REMOTES/$1")"
    printf '#!/bin/bash\n%s\n' "${2-:}" >"$REMOTES/$1"
    chmod 755 "$REMOTES/$1"
}

# waits_until_told NAME: an executable that notes "NAME waits PID", and "NAME stopped" at a SIGTERM;
# what it has started waits, too
waits_until_told() {
    executable "$1" "cat >/dev/null
        trap 'echo \"$1 stopped\" >>\"\$CALLS\"; exit 1' TERM
        sleep 600 & echo \"$1 child \$!\" >>\"\$CALLS\"
        echo \"$1 waits \$\$\" >>\"\$CALLS\"; wait"
}
# told_to_stop NAME: it got the time to note that, unless it had not even come so far as to wait
told_to_stop() { ! waits "$1" || grep -q "^$1 stopped" "$CALLS"; }
waits() { grep -q "^$1 waits" "$CALLS" 2>/dev/null; }
pid_of() { awk -v what="$1 $2" '$1 " " $2 == what { print $3 }' "$CALLS"; }

# mad_start NAME [ARGUMENTS]: the driver, as $mad; what it says goes to $BATS_TEST_TMPDIR/said
mad_start() {
    [ -p "$BATS_TEST_TMPDIR/in" ] || mkfifo "$BATS_TEST_TMPDIR/in"
    # The core closes fd 2, and gives all arguments as one.
    "$BUILD/drivers/$1" ${2+"$2"} <"$BATS_TEST_TMPDIR/in" >>"$BATS_TEST_TMPDIR/said" 2>&- 3>&- &
    mad=$!
    exec {to_mad}>"$BATS_TEST_TMPDIR/in"
}
tell() { printf '%s\n' "$*" >&"$to_mad"; }
said() { grep -aq -- "$1" "$BATS_TEST_TMPDIR/said"; }
says() { eventually said "$1" || { cat "$BATS_TEST_TMPDIR/said"; return 1; }; }
# mad_ended: its exit status
mad_ended() {
    [ -z "${to_mad-}" ] || exec {to_mad}>&-
    to_mad=
    local status=0
    wait "$mad" || status=$?
    mad=
    return "$status"
}

# For teardown.
stop_mads() {
    [ -z "${mad-}" ] || { kill -TERM "$mad" && wait "$mad"; } 2>/dev/null || true
    [ ! -e "$CALLS" ] || awk '$2 ~ /^(waits|child)$/ { print $3 }' "$CALLS" | xargs -r kill -KILL 2>/dev/null || true
}

# payload XML: as the core sends it
payload() { printf '%s' "$1" | base64 -w 0; }
datastore() { payload "<DS_DRIVER_ACTION_DATA><DATASTORE><ID>1</ID><DS_MAD>$1</DS_MAD>${2-}</DATASTORE></DS_DRIVER_ACTION_DATA>"; }
