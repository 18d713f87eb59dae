# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd, its drivers and the fakes that these run, killed again and again under a mixed load: COUNT
# times, 60 if it is not set.

load ../drivers/vmvaultd/helper
load vmvaultd_kills

setup() { service_setup; }
teardown() { service_stop; }

stored() { ls "$FAKE/store"; }

knows() { [ "$(sql 'SELECT count(*) FROM scheduled_vms')" = "$1" ]; }

# below PID: all that it has started, and they
below() {
    local one
    for one in $(pgrep -P "$1"); do
        echo "$one"
        below "$one"
    done
}

# kill_one: the service, one of its drivers, or anything below it; the service comes back
kill_one() {
    local victim all
    case $((RANDOM % 4)) in
    0)
        service_end KILL
        check whole
        orders 6
        service_start "$1"
        return
        ;;
    1) victim=$(pgrep -P "$service" -f one_vmm_exec) || return 0 ;;
    2) victim=$(pgrep -P "$service" -f one_datastore) || return 0 ;;
    3)
        mapfile -t all < <(below "$service")
        [ ${#all[@]} -gt 0 ] || return 0
        victim=${all[RANDOM % ${#all[@]}]}
        children=$((children + 1))
        ;;
    esac
    kill -KILL "$victim" 2>/dev/null || return 0
}

@test "no result is lost, none is there twice, and nothing is left open" {
    local settings='MAX_BACKUPS = 3
MAX_BACKUPS_HOST = 0
RETRY_INTERVAL = 1
RETRIES = 1000
KEEP_LAST = 2' n
    children=0
    machines 6
    store_setup
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    powered_off
    service_start "$settings
RPO = 0"
    eventually knows 6
    service_end KILL
    sql "INSERT INTO jobs (id, name, datastore, priority, execution, reset, hours, last_time, last_duration)
           VALUES (1, 'night', 100, 50, 'SEQUENTIAL', 0, '', -1, -1);
         INSERT INTO job_vms VALUES (1, 0, 1000000); INSERT INTO job_vms VALUES (1, 1, 1000001);
         INSERT INTO settings VALUES ('VM', 1000002, 'MODE', 'FULL')"
    service_start "$settings
RPO = 4"
    for ((n = 0; n < ${COUNT-60}; ++n)); do
        sleep "0.$((RANDOM % 9 + 1))"   # at a moment of no importance
        kill_one "$settings
RPO = 4"
    done
    service_end KILL
    sql 'UPDATE requests SET not_before = 0'   # what was killed often is tried again late
    service_start "$settings
RPO = 0"
    eventually check settled 2>/dev/null || { check settled; false; }
    service_end TERM
    check whole
    check known
    [ "$(find "$FAKE/store" -type f | wc -l)" -ge 6 ]
}
