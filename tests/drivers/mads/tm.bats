# SPDX-License-Identifier: Apache-2.0
# drivers/tm/one_tm: transfer scripts.

load helper

setup() { front_end; script="$BATS_TEST_TMPDIR/transfer.0.restore"; }
teardown() { stop_mads; }

@test "a script is done line by line, and each word is an argument" {
    executable tm/qcow2/restore 'printf "<%s>" "$@" >>"$CALLS"; cat >>"$CALLS"'
    executable tm/ssh/mv 'printf "{%s}" "$@" >>"$CALLS"'
    cat >"$script" <<'X'
  # a comment

RESTORE qcow2   kvm1:/var/lib/one//datastores/0/12 12 5 -1 -1
MV ssh 'a;b $(touch no) *	"
X
    mad_start tm/one_tm '-t 15 -d qcow2,ssh'
    tell INIT
    says '^INIT SUCCESS - -$'
    tell "TRANSFER  12 $script"
    says '^TRANSFER SUCCESS 12 -$'
    [ "$(cat "$CALLS")" = "<kvm1:/var/lib/one//datastores/0/12><12><5><-1><-1>{'a;b}{\$(touch}{no)}{*}{\"}" ]
    tell FINALIZE
    mad_ended
}

@test "it stops at the first failure" {
    executable tm/qcow2/restore 'echo "ERROR: restore: long story" >&2; echo no disk >&2; exit 1'
    executable tm/qcow2/mv 'echo mv >>"$CALLS"'
    printf 'RESTORE qcow2 a\nMV qcow2 b\n' >"$script"
    mad_start tm/one_tm '-t 15 -d qcow2'
    tell "TRANSFER  12 $script"
    says '^TRANSFER FAILURE 12 no disk$'
    says "^LOG I 12 Command execution failed (exit code: 1): '$REMOTES/tm/qcow2/restore' a\$"
    says '^LOG E 12 restore: long story$'
    [ ! -e "$CALLS" ]
}

@test "an action for a destination falls back to the plain one" {
    executable tm/qcow2/clone 'echo "clone $*" >>"$CALLS"'
    executable tm/qcow2/ln.ssh 'echo "ln.ssh $*" >>"$CALLS"'
    printf 'CLONE.ssh qcow2 a\nLN.ssh qcow2 b\n' >"$script"
    mad_start tm/one_tm '-d qcow2'
    tell "TRANSFER  12 $script"
    says '^TRANSFER SUCCESS 12 -$'
    [ "$(paste -sd' ' "$CALLS")" = 'clone a ln.ssh b' ]
}

@test "what is not there" {
    mkdir -p "$REMOTES/tm/qcow2"
    mad_start tm/one_tm '-d qcow2'
    tell "TRANSFER  1 /nonexistent/script"
    says "^TRANSFER FAILURE 1 Transfer file '/nonexistent/script' does not exist\$"
    local i=2 line
    while read -r line; do
        echo "$line" >"$script.$i"
        tell "TRANSFER  $i $script.$i"
        i=$((i + 1))
    done <<'X'
CLONE other a
CLONE
CLONE qcow2 a
CLONE.ssh qcow2 a
../../x qcow2 a
X
    says "^TRANSFER FAILURE 2 Transfer Driver 'other' not available\$"
    says "^TRANSFER FAILURE 3 Transfer Driver '' not available\$"
    says "^TRANSFER FAILURE 4 Driver path '.*/tm/qcow2/clone' does not exists\$"
    says "^TRANSFER FAILURE 5 Driver path '.*/clone.ssh' nor '.*/tm/qcow2/clone' exists\$"
    says "^TRANSFER FAILURE 6 '../../x' is not the name of an action\$"
}

@test "DRIVER_CANCEL stops what runs, and the lines behind it are not done" {
    waits_until_told tm/qcow2/restore
    executable tm/qcow2/mv 'echo mv >>"$CALLS"'
    printf 'RESTORE qcow2 a\nMV qcow2 b\n' >"$script"
    printf 'MV qcow2 b\n' >"$script.2"
    mad_start tm/one_tm '-t 1 -d qcow2'
    tell "TRANSFER  12 $script"
    tell "TRANSFER  13 $script.2"
    eventually waits tm/qcow2/restore
    tell 'DRIVER_CANCEL  12 '
    says '^LOG I 12 Driver command for 12 cancelled$'
    says '^TRANSFER SUCCESS 13 -$'
    eventually is_gone "$(pid_of tm/qcow2/restore child)"
    [ "$(grep -c '^mv' "$CALLS")" -eq 1 ]
    run -1 said 'TRANSFER [A-Z]* 12'
}

@test "killed in the middle, the executable ends its work, and a new driver begins anew" {
    executable tm/qcow2/restore 'echo "restore waits $$" >>"$CALLS"; read -r <"$CALLS.go"; echo end >"$CALLS.done"'
    mkfifo "$CALLS.go"
    echo 'RESTORE qcow2 a' >"$script"
    mad_start tm/one_tm '-d qcow2'
    tell "TRANSFER  12 $script"
    eventually waits restore
    kill -KILL "$mad"
    wait "$mad" || true
    exec {to_mad}>&-
    mad_start tm/one_tm '-d qcow2'
    tell INIT
    says '^INIT SUCCESS - -$'
    echo >"$CALLS.go"
    eventually test -e "$CALLS.done"
    mad_ended
}
