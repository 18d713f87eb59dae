# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Backups of real domains.  Where what runs inside does not matter, a domain is started paused and
# never resumed: that takes half a second, its disks change only by disk_write, and a copy of them
# is an exact reference.

load "$BATS_TEST_DIRNAME/../helper.bash"
load "$BATS_TEST_DIRNAME/../fixtures/state.bash"

# paused_start NAME [DISK...]: start it and leave it paused; with disks, define it first
paused_start() {
    [ $# -eq 1 ] || guest_define --no-agent "$1" "$1.console" "${@:2}"
    virsh -q start "$1" --paused
}

# restic_waits: from now on restic begins to store when there is $BATS_TEST_TMPDIR/go, and makes
# $BATS_TEST_TMPDIR/storing before
restic_waits() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
if [[ " \$* " == *' backup '* ]]; then
    touch $BATS_TEST_TMPDIR/storing
    until [ -e $BATS_TEST_TMPDIR/go ]; do sleep 0.05; done
fi
exec $(command -v restic) "\$@"
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# image_of NAME: the id of the newest image of that domain; increments_of IMAGE: how many it has
image_of() {
    vmvault list --json | jq -e --arg name "$1" 'map(select(.vm.name == $name)) | max_by(.id).id'
}
# last IMAGE FILTER: of its last increment, what the jq filter says
last() { vmvault show "$1" --json | jq -er ".increments[-1] | $2"; }

# failed_backup [CAPTURE]: of the first machine, from its first backup until now; the state has it, and nothing has
# been done
failed_backup() {
    sql "INSERT INTO attempts (vm, increment, datastore, mode, disks, dir, started, ended, error, capture)
           SELECT vm, increment, datastore, mode, disks, dir, started, unixepoch(), 'killed', '${1-}' FROM attempts LIMIT 1"
}

# untouched NAME: no job, no frozen file system, no file of a backup in its directory
untouched() {
    local dir=$VMVAULT_VAR/vms left=''
    [[ $(virsh -q domjobinfo "$1" 2>/dev/null) == *None* || $(guest_state "$1") == 'shut off' ]] || {
        echo "a job of $1 is left" >&2
        return 1
    }
    [ ! -d "$dir" ] || left=$(cd "$dir" && find . -path '*/backup/*' -o -path '*/tmp/*' -o -name '*.sock')
    [ -z "$left" ] || { echo "left behind: $left" >&2; return 1; }
}

# one_line: the last `run` said one plain line on stderr; lines for the core's log do not count
one_line() {
    [ "$(grep -vcE '^((ERROR|INFO|WARN|DEBUG):|$)' <<<"$stderr")" -eq 1 ] || { echo "not one line: $stderr" >&2; return 1; }
}
