# SPDX-License-Identifier: Apache-2.0
# The helper that runs a store's program on the machine that holds the data, within limits.

load "$BATS_TEST_DIRNAME/../../helper.bash"

setup() { can_unshare || skip 'no mount namespaces here'; }

LIMITS='{"NICE": "5", "IONICE": "6", "CPU_QUOTA": "50", "MEMORY_MAX_MB": "300", "MAX_WIOPS": "1000"}'

# helper [VIA...] -- PROGRAM [ARGS...]: the helper runs it, with LIMITS
helper() {
    local via=()
    while [ "$1" != -- ]; do via+=("$1"); shift; done
    shift
    # The helper takes the end of its stdin for our death.
    { sleep 600 3>&- & echo $! >"$BATS_TEST_TMPDIR/sleep"
      jq -nc --argjson limits "$LIMITS" --arg group "backup.$$" '{run: $ARGS.positional, lines: true, $group,
          near: "/", limits: $limits}' --args -- "$@" | base64 -w0; echo; wait; } |
        { "${via[@]}" "$BUILD/datastore/host/run"; local status=$?; kill "$(<"$BATS_TEST_TMPDIR/sleep")"; return $status; }
}

@test "through systemd: the program is a scope in the slice, which has the limits" {
    run -0 --separate-stderr helper with_systemd -- sh -c 'nice; ionice; exit 0'
    [ "$output" = "$(($(nice) + 5))
best-effort: prio 6" ]
    [ -z "$stderr" ]
    grep -qx "systemctl --quiet --runtime set-property backup.$$.slice CPUQuota=50% MemoryMax=300M IOReadIOPSMax= IOWriteIOPSMax=/ 1000" "$CALLS"
    grep -q "^systemd-run --quiet --scope --collect --slice=backup.$$.slice -- sh -c" "$CALLS"
}

@test "the status of the program is the helper's, through systemd too" {
    run -7 helper with_systemd -- sh -c 'exit 7'
    LIMITS={}
    run -7 helper with_systemd -- sh -c 'exit 7'
}

@test "a systemd that does not answer: the program runs, and one line says what does not hold" {
    export FAKE_SYSTEMD_FAIL=1
    run -0 --separate-stderr helper with_systemd -- nice
    [ "$output" = $(($(nice) + 5)) ]
    [[ $stderr == 'WARN: run: limits that are not enforced here: CPU_QUOTA, MAX_WIOPS, MEMORY_MAX_MB ('*'No medium found)' ]]
}

@test "without systemd: the program is in a cgroup with the limits, which goes with it" {
    local probe
    probe=$(cgroup_make "test-$$") && rmdir "$probe" || skip 'cgroups may not be made here'
    run -0 --separate-stderr helper without_systemd -- sh -c \
        "cat /proc/self/cgroup; cat /sys/fs/cgroup/vmvault-backup.$$/* /sys/fs/cgroup/*/vmvault-backup.$$/*; exit 0"
    grep -q "^0::/vmvault-backup.$$\$" <<<"$output"
    [ -n "$stderr" ] || grep -qE '^50000( 100000)?$' <<<"$output"
    [ -n "$stderr" ] || grep -qx $((300 << 20)) <<<"$output"
    run ! compgen -G "/sys/fs/cgroup/*vmvault-backup.$$"
    run ! compgen -G "/sys/fs/cgroup/*/vmvault-backup.$$"
}

@test "a user who may nothing: the priorities hold, and one line says what does not" {
    setpriv --reuid nobody --clear-groups test -x "$BUILD/datastore/host/run" || skip 'nobody cannot read the build tree'
    run -0 --separate-stderr helper without_systemd setpriv --reuid nobody --clear-groups -- sh -c 'nice; ionice'
    [ "$output" = "$(($(nice) + 5))
best-effort: prio 6" ]
    [[ $stderr == 'WARN: run: limits that are not enforced here: CPU_QUOTA, MAX_WIOPS, MEMORY_MAX_MB (systemd is not running'* ]]
}

@test "whoever reads and holds it is gone: the program can undo before its pipe breaks" {
    mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
    export UNDONE=$BATS_TEST_TMPDIR/undone
    "$BUILD/datastore/host/run" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
    local pid=$! hold from
    exec {hold}>"$BATS_TEST_TMPDIR/in"
    exec {from}<"$BATS_TEST_TMPDIR/out"
    jq -nc '{run: $ARGS.positional}' --args -- python3 -c '
import os, signal
def undo(*_):
    open(os.environ["UNDONE"], "w").close()
    os._exit(130)
signal.signal(signal.SIGINT, undo)
while True:
    os.write(1, bytes(65536))
' | base64 -w0 >&"$hold"
    echo >&"$hold"
    head -c 200000 <&"$from" >/dev/null
    exec {from}<&-
    exec {hold}>&-
    wait "$pid" || true
    [ -e "$UNDONE" ]
}
