# SPDX-License-Identifier: Apache-2.0
# drivers/vmm/one_vmm_exec: a backup outlives its driver, and its result is heard once.

load vmm.bash

setup() { front_with_stock; }
teardown() {
    stop_front
    if mountpoint -q "$VMVAULT_VAR/mad"; then umount -l "$VMVAULT_VAR/mad"; fi
}

# A backup whose driver was killed while it uploaded.
left_running() {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    says 'prebackup_live'   # what was on its way to the core when a driver died, no other one says
    front_dies
}

@test "a backup that still runs is found again, and its result is delivered" {
    left_running
    front_start
    store_now
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    [ "$(answers 12)" -eq 1 ]
    # Each line of the log, once.
    [ "$(grep -ac '^LOG I 12 Successfully execute' "$BATS_TEST_TMPDIR/said")" -eq 3 ]
    [ "$(grep -c '^upload waits' "$CALLS")" -eq 1 ]
}

@test "a result that came while there was no driver is delivered by the next one" {
    left_running
    store_now
    eventually eval 'test -e "$(records)/result"'
    front_start
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    [ "$(answers 12)" -eq 1 ]
}

@test "a result that there is no room for waits for it, and a log that there is no room for is none" {
    mkdir -p "$VMVAULT_VAR/mad"
    mount -t tmpfs -o size=1m none "$VMVAULT_VAR/mad" 2>/dev/null || skip 'this user may not mount'
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    head -c 4M /dev/zero >"$VMVAULT_VAR/mad/all" 2>/dev/null || true
    local orchestrator
    orchestrator=$(jq .pid "$VMVAULT_VAR/vmm/12.json")
    store_now
    eventually is_gone "$orchestrator"
    [ "$(answers 12)" -eq 0 ]
    rm "$VMVAULT_VAR/mad/all"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
}

@test "our results come after the answer to INIT" {
    left_running
    store_now
    eventually eval 'test -e "$(records)/result"'
    mad_start vmm/one_vmm_exec '-t 15 kvm'
    : >"$BATS_TEST_TMPDIR/said"
    tell INIT
    says '^BACKUP SUCCESS 12'
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/said")" = 'INIT SUCCESS - -' ]
}

@test "an answer that the core did not hear is given again, and one that it heard is not" {
    front_start
    request BACKUP 12 >&"$to_mad"
    core_says 13 69
    request BACKUP 13 >&"$to_mad"
    says '^BACKUP SUCCESS 12 '
    says '^BACKUP SUCCESS 13 '
    core_says 13 3
    eventually eval '[ "$(ls "$VMVAULT_VAR"/mad/kvm/*/sent | wc -l)" -eq 2 ]'
    front_dies
    front_start
    eventually eval '[ "$(answers 12)" -eq 2 ]'
    eventually eval '[ "$(records | wc -l)" -eq 1 ]'
    [ "$(answers 13)" -eq 1 ]
}

# As above, but this core says what the VM has: before the backup, $1; now, $2.
answered_before() {
    core_says 12 69 "$1"
    front_start
    request BACKUP 12 "$1" >&"$to_mad"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    eventually eval 'test -e "$(records)/sent"'
    front_dies
    core_says 12 69 "$2"
}

@test "an answer that the core did not hear is given again when the VM has what it had" {
    answered_before "$(backups 3 4 6)" "$(backups 3 4 6)"
    front_start
    eventually eval '[ "$(answers 12)" -eq 2 ]'
    [ "$(grep -ac '^BACKUP SUCCESS 12 aaaa0000 42 raw$' "$BATS_TEST_TMPDIR/said")" -eq 2 ]
}

@test "a request that was lost with its driver is not answered with the backup before it" {
    local now
    # An increment more, an image more; and a record of a version that did not note what there was.
    for now in "$(backups 4 4 6)" "$(backups 3 4 6 7)" older; do
        if [ "$now" = older ]; then
            answered_before "$(backups 3 4 6)" "$(backups 3 4 6)"
            rm "$(records)/before"
        else
            answered_before "$(backups 3 4 6)" "$now"
        fi
        front_start
        says '^BACKUP FAILURE 12 the request was lost: its driver ended before it had written it down$'
        [ "$(answers 12)" -eq 2 ]
        front_dies
        rm -r "$VMVAULT_VAR/mad" "$BATS_TEST_TMPDIR/said"
    done
}

@test "a result that nobody waits for is not delivered, but named" {
    left_running
    core_says 12 3
    front_start
    store_now
    says "^LOG W 12 a backup is stored, but OpenNebula does not wait for it any more: .*aaaa0000 42 raw"
    [ "$(answers 12)" -eq 0 ]
    eventually eval '[ -z "$(records)" ]'
}

@test "a new request ends the backup that was given up, and has an answer of its own" {
    left_running
    front_start
    executable datastore/restic/backup 'cat >/dev/null; echo bbbb1111 43 raw'
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 bbbb1111 43 raw$'
    grep -q '^upload stopped' "$CALLS"
    [ "$(answers 12)" -eq 1 ]
}

@test "a cancel reaches a backup that an earlier driver began" {
    left_running
    front_start
    request BACKUPCANCEL 12 >&"$to_mad"
    says '^BACKUPCANCEL SUCCESS 12 -$'
    says '^BACKUP FAILURE 12 '
    grep -q '^upload stopped' "$CALLS"
    [ "$(answers 12)" -eq 1 ]
}

@test "a keeper that is killed ends the backup, and the core hears of a failure" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    kill -KILL "$(keeper)"
    says '^BACKUP FAILURE 12 the backup ended without a result$'
    eventually grep -q '^upload stopped' "$CALLS"
}

@test "40 backups at once, and the driver is killed in the middle: 40 answers" {
    stores 'echo aaaa0000 42 raw'
    local i
    for i in {1..40}; do core_says "$i" 69; done
    front_start '-t 15 kvm'
    for i in {1..40}; do request BACKUP "$i"; done >&"$to_mad"
    eventually eval '[ "$(grep -ac "^BACKUP SUCCESS" "$BATS_TEST_TMPDIR/said")" -ge 5 ]'
    # A keeper that says who it is has all of its request.
    eventually eval '[ "$(find "$VMVAULT_VAR/mad/kvm" -name keeper | wc -l)" -eq 40 ]'
    front_dies
    front_start '-t 15 kvm'
    for i in {1..40}; do says "^BACKUP SUCCESS $i "; done
    run ! said '^BACKUP FAILURE'
}

@test "FINALIZE leaves a backup that runs to the next driver" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    tell FINALIZE
    mad_ended
    front_start
    store_now
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
}
