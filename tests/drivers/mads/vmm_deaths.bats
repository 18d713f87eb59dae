# SPDX-License-Identifier: Apache-2.0
# drivers/vmm/one_vmm_exec: whoever of a backup is killed, and whenever, the core hears of it, once.

load vmm.bash
source "$ROOT/tests/faults/shim.bash"

setup() { front_with_stock; }
teardown() {
    shim_end
    stop_front
}

# front_stands POINT: a front that is asked for a backup of VM 12, and a process of which stands still
# there: $stands
front_stands() {
    local file=$BATS_TEST_TMPDIR/point
    [ -e "$SHIM" ] || { echo "$SHIM is missing (make check makes it)" >&2; return 1; }
    rm -f "$file"
    export LD_PRELOAD=$SHIM FAULT_FILE=$file FAULT_POINT=$1 ASAN_OPTIONS=verify_asan_link_order=0
    mad_start vmm/one_vmm_exec '-t 15 kvm'
    unset LD_PRELOAD FAULT_FILE FAULT_POINT ASAN_OPTIONS
    tell INIT
    says '^INIT SUCCESS'
    request BACKUP 12 >&"$to_mad"
    shim_command=$mad
    eventually _shim_stands "$file"
    stands=$(<"$file")
}
# both_die: who stands still, and then the driver, which cannot see that before
both_die() {
    kill -STOP "$mad"
    kill -KILL "$stands"
    front_dies
}
# anew: as at the beginning, but for what was noted
anew() {
    rm -rf "$VMVAULT_VAR" "$CALLS" "$BATS_TEST_TMPDIR/said"
    : >"$BATS_TEST_TMPDIR/said"
}

@test "keeper and driver are killed before there is a result: a failure, by the next driver" {
    local point
    for point in main:before 'rename(keeper):before' 'rename(keeper):after' 'rename(result):before'; do
        anew
        front_stands "one_vmm_exec --keep:$point"
        both_die
        front_start
        says '^BACKUP FAILURE 12 the backup ended without a result$'
        [ "$(answers 12)" -eq 1 ]
        front_dies
        # The core has heard it.
        core_says 12 3
        front_start
        eventually eval '[ -z "$(records)" ]'
        [ "$(answers 12)" -eq 1 ]
        front_dies
        core_says 12 69
    done
}

@test "keeper and driver are killed when there is a result: it is delivered by the next driver" {
    front_stands 'one_vmm_exec --keep:rename(result):after'
    both_die
    front_start
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    [ "$(answers 12)" -eq 1 ]
}

@test "the driver is killed when the answer is on its way: it is given again only if the core still waits" {
    local state
    for state in 3 69; do
        anew
        core_says 12 69
        front_stands 'one_vmm_exec:rename(sent):before'
        said '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
        front_dies
        core_says 12 $state
        front_start
        if [ $state = 3 ]; then
            eventually eval '[ -z "$(records)" ]'
            [ "$(answers 12)" -eq 1 ]
        else
            eventually eval '[ "$(answers 12)" -eq 2 ]'
        fi
        front_dies
    done
}

@test "the orchestrator is killed: its upload ends, and the core hears of it" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    kill -KILL "$(jq -r .pid "$VMVAULT_VAR/vmm/12.json")"
    says '^BACKUP FAILURE 12 '
    # What it left is undone before the core hears of it.
    grep -q '^upload stopped' "$CALLS"
    [[ $(grep -v '^upload' "$CALLS" | tail -n 2) == 'tm/qcow2/postbackup_live '*'discard '* ]]
    stores 'echo bbbb1111 43 raw'
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 bbbb1111 43 raw$'
    [ "$(answers 12)" -eq 2 ]
}

@test "the orchestrator is killed when it has answered: the core hears that" {
    rm "$REMOTES/vmm/kvm/backup"
    executable vmm/kvm/backup 'cat >/dev/null; echo aaaa0000 42 raw; kill -KILL $$'
    front_start
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    [ "$(answers 12)" -eq 1 ]
}

@test "all of them are killed: the next driver says so, and the next backup is one" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    local others=("$(keeper)" "$(jq -r .pid "$VMVAULT_VAR/vmm/12.json")")
    front_dies
    kill -KILL "${others[@]}"
    front_start
    says '^BACKUP FAILURE 12 the backup ended without a result$'
    eventually grep -q '^upload stopped' "$CALLS"
    stores 'echo bbbb1111 43 raw'
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 bbbb1111 43 raw$'
}

@test "a record that its driver had just made, and no more" {
    mkdir -p "$VMVAULT_VAR/mad/kvm/12.deadbeef"
    front_start
    says '^BACKUP FAILURE 12 the backup ended without a result$'
}
