# SPDX-License-Identifier: Apache-2.0
# The backup and the tracking of what changes from then on begin in one transaction.  Were they two
# calls, what a guest writes between them would be in no backup of the chain: that is shown first,
# so that the second test is known to see it.

load ../helper.bash
load shim.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    guest_copy a.qcow2 root
    guest_define --rate 50 race console a.qcow2
    guest_start race
    guest_works console
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }
teardown() { shim_end; }

# writes_across POINT: a full backup of the guest, which is not frozen and writes on while the backup
# stands still there; then an increment, of which only the bitmap tells what it has to hold: that there is data
# where there was none would be noticed, too.  What they restore to is in to/.
writes_across() {
    local from image marks
    shim_run "backup_host begin:virDomainBackupBegin:$1" \
        "$BUILD/drivers/cli/vmvault" backup race --full --fs-freeze none
    # The journal grows from slot to slot.  96 slots are 6 clusters of 64 KiB: at least four of them
    # are written while we stand here, and not again for a long time.
    from=$(guest_acknowledged console)
    eventually guest_acknowledges console $((from + 96))
    shim_go_on
    shim_wait
    guest_works console
    acknowledged=$(guest_acknowledged console)
    marks=$VMVAULT_VAR/vms/$(virsh -q domuuid race)/backup.marks
    [ "$(jq '[.increments[][].edges | length > 2] | all' "$marks")" = true ]
    jq 'del(.increments[][].edges)' "$marks" >marks
    cat marks >"$marks"
    vmvault backup race --fs-freeze none
    image=$(vmvault list --json | jq 'max_by(.id).id')
    [ "$(vmvault show "$image" --json | jq -c '[.increments[].disks[].kind]')" = '["full","increment"]' ]
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
}

# holds_all: every record that was acknowledged before the increment is in what was restored.  Without
# some blocks of the file system's own the file may be whole, but an old one.
holds_all() {
    local newest
    newest=$(guest_newest "$BATS_TEST_TMPDIR/to/disk.0.qcow2") || return
    echo "acknowledged: $acknowledged, restored: $newest"
    [ "$newest" -ge "$acknowledged" ]
}

@test "in two calls: what the guest writes between them is lost" {
    writes_across between
    run ! holds_all
    [[ $output == *'is lost'* || $output == *damaged* || $output == 'acknowledged:'* ]]
}

@test "in one call: nothing that the guest writes is lost" {
    writes_across after
    holds_all
}
