# SPDX-License-Identifier: Apache-2.0
# All processes of a backup have died: vmvault recover, the timer and a datastore's monitor put right
# what they left, each by itself.

load helper.bash
source "$ROOT/tests/faults/shim.bash"

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 512M
    qemu-io -c 'write -P 3 0 300M' a.qcow2 >/dev/null
    paused_start left a.qcow2
    vmvault backup left
}

teardown_file() { hypervisor_stop; }

# dies: a backup of the domain whose processes are killed when its job has begun
dies() {
    local dir guard steps
    disk_write left 0 'write -P 4 100M 200M'
    shim_run backup_host:virDomainBackupBegin:after "$BUILD/drivers/cli/vmvault" backup left
    dir=$VMVAULT_VAR/vms/$(virsh domuuid left | xargs)
    guard=$(jq .guard "$dir/backup.journal")
    mapfile -t steps < <(cut -d' ' -f1 "$VMVAULT_VAR"/running/*.orchestrator "$VMVAULT_VAR"/running/*.prebackup)
    # From below, and nobody acts in between: a stopped process whose parent dies is woken up.
    kill -STOP "$guard" "${steps[@]}"
    kill -KILL "$guard" "$shim_pid" "${steps[@]}" "$shim_command"
    all_gone "$guard" "$shim_pid" "${steps[@]}" "$shim_command"
    [[ $(virsh -q domjobinfo left) != *None* ]]
}

all_gone() { for one; do eventually is_gone "$one"; done; }

works_again() {
    untouched left
    run -0 --separate-stderr vmvault backup left
    [[ $output == *', increment '*': increment of '* ]]
}

@test "vmvault recover" {
    dies
    run -0 --separate-stderr vmvault recover
    works_again
    run -0 --separate-stderr vmvault recover
    [ -z "$output$stderr" ]
}

@test "vmvault recover DOMAIN" {
    dies
    vmvault recover left
    works_again
}

@test "vmvault recover DOMAIN, when only those in front have died: nobody reads the view any more" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    local dir exporter steps
    disk_write left 0 'write -P 5 100M 1M'
    shim_run restic/backup:main:before "$BUILD/drivers/cli/vmvault" backup left
    dir=$VMVAULT_VAR/vms/$(virsh domuuid left | xargs)
    exporter=$(jq -e '.exporter | select(. > 0)' "$dir/backup.journal")
    mapfile -t steps < <(cut -d' ' -f1 "$VMVAULT_VAR"/running/*.{orchestrator,backup})
    kill -STOP "${steps[@]}"
    kill -KILL "${steps[@]}" "$shim_command"
    all_gone "${steps[@]}" "$shim_command" "$shim_pid"
    run ! is_gone "$exporter"
    vmvault recover left
    run -0 is_gone "$exporter"
    works_again
}

@test "the monitor of a datastore" {
    dies
    run -0 --separate-stderr action datastore/restic/monitor 100 <<XML
<DS_DRIVER_ACTION_DATA>$(cat "$VMVAULT_VAR/datastores/100.xml")</DS_DRIVER_ACTION_DATA>
XML
    [[ $output == *FREE_MB=* ]]
    works_again
}
