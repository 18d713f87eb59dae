# SPDX-License-Identifier: Apache-2.0
# The service with everything real on small disks (libvirt, qemu, the drivers, restic): it, its
# drivers, and all that these run are killed at moments of no importance, COUNT times, 25 if it is
# not set.

load ../e2e/helper
load ../fixtures/keepers
load vmvaultd_kills

setup_file() { hypervisor_start; }
teardown_file() { hypervisor_stop; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    EVENTUALLY=600
    mkdir mads
    ln -s "$BUILD/drivers/vmm/one_vmm_exec" "$BUILD/drivers/datastore/one_datastore" mads/
}
teardown() {
    [ -z "${service-}" ] || service_end KILL || true
    keepers_stop
    vmvault recover >/dev/null 2>&1 || true   # of a test that has failed
    for name in one two three off; do guest_remove "$name" || true; done
}

# service_start RPO: whatever it starts has MARK in its environment, too
service_start() {
    printf '%s\n' "MADS_LOCATION = \"$PWD/mads\"" 'MONITORING_INTERVAL_HOST = 1' 'RETRY_INTERVAL = 1' \
        'RETRIES = 1000' 'PORT = 0' 'MAX_BACKUPS = 2' 'MAX_BACKUPS_HOST = 0' 'KEEP_LAST = 2' "RPO = $1" >conf
    MARK=$BATS_TEST_TMPDIR "$BUILD/drivers/vmvaultd/vmvaultd" --config conf </dev/null >>log 2>&1 3>&- &
    service=$!
}
service_end() {
    kill "-$1" "$service"
    wait "$service" 2>/dev/null || true
    service=
}

# all_of_it: the processes of the service, also those that it has left behind
all_of_it() { grep -lsz -- "^MARK=$BATS_TEST_TMPDIR\$" /proc/[0-9]*/environ | grep -o '[0-9]*'; }

# stored: the names of what the repositories have
stored() {
    local repository
    for repository in "$VMVAULT_VAR"/repo/*; do
        [ -e "$repository/config" ] || continue
        RESTIC_PASSWORD_FILE=$VMVAULT_VAR/restic.password restic -q --no-lock -r "$repository" snapshots --json |
            jq -r '.[].id'
    done
}

# kill_some: one of them, or all at once; the service comes back
kill_some() {
    local all
    mapfile -t all < <(all_of_it)
    [ ${#all[@]} -gt 0 ] || all=("$service")   # which has just begun
    case $((RANDOM % 5)) in
    0) all=("$service") ;;
    1) ;;
    *) all=("${all[RANDOM % ${#all[@]}]}") ;;
    esac
    kill -KILL "${all[@]}" 2>/dev/null || true
    [[ " ${all[*]} " == *" $service "* ]] || return 0
    wait "$service" 2>/dev/null || true
    check whole
    orders 4
    service_start 4
}

idle() { vmvault status --json | jq -e '[.vms[].running[]] == []' >/dev/null; }

knows() { [ "$(sql 'SELECT count(*) FROM scheduled_vms' 2>/dev/null)" = "$1" ]; }

@test "no result is lost, none is there twice, nothing is left open, and all can be restored" {
    local n name
    for name in one two three off; do
        qemu-img create -q -f qcow2 $name.qcow2 16M
        qemu-io -c "write -P ${#name} 0 2M" $name.qcow2 >/dev/null
    done
    for name in one two three; do paused_start $name $name.qcow2; done
    guest_define --no-agent off off.console off.qcow2
    service_start 0
    eventually knows 4
    service_end KILL
    sql "INSERT INTO jobs (id, name, datastore, priority, execution, reset, hours, last_time, last_duration)
           VALUES (1, 'night', 100, 50, 'SEQUENTIAL', 0, '', -1, -1);
         INSERT INTO job_vms VALUES (1, 0, 1000000); INSERT INTO job_vms VALUES (1, 1, 1000001);
         INSERT INTO settings VALUES ('VM', 1000002, 'MODE', 'FULL')"
    service_start 4
    for ((n = 0; n < ${COUNT-25}; ++n)); do
        name=$(shuf -n 1 -e one two three)
        disk_write "$name" 0 "write -P $((n % 255 + 1)) $((RANDOM % 15))M 64k"
        sleep "$((RANDOM % 2)).$((RANDOM % 9))"   # at a moment of no importance
        kill_some
    done
    service_end KILL
    sql 'UPDATE requests SET not_before = 0'   # what was killed often is tried again late
    service_start 0
    eventually check settled 2>/dev/null || { check settled; false; }
    service_end TERM
    eventually idle   # a flatten goes on without a service
    check whole
    check known

    # What was killed between its end and its answer is nobody's, and that is all there is besides.
    vmvault gc
    run -0 sql 'SELECT count(*) FROM increments'
    [ "$(stored | wc -l)" -eq "$output" ]
    for n in $(vmvault list --json | jq '.[].id'); do vmvault verify "$n" --read-data; done
    for name in one two three off; do
        vmvault backup $name
        vmvault restore "$(image_of $name)" --to to-$name
        reference ref "$(virsh -q domblklist $name | awk 'NR == 1 { print $2 }')"
        same_disk ref/*.qcow2 to-$name/disk.0.qcow2
        rm -r ref
        untouched $name
    done
}
