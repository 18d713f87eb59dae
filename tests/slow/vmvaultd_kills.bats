# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd, its drivers and what these run, killed again and again under a mixed load: KILLS
# times, 60 if it is not set.

load ../drivers/vmvaultd/helper
load vmvaultd_kills

setup() { service_setup; }
teardown() { service_stop; }

# check whole|settled: of the state file and the store
check() { python3 - "$VMVAULT_VAR/state.db" "$FAKE/store" "$1" "${children-0}" <<'X'; }
import os, sqlite3, sys
from collections import Counter
db = sqlite3.connect(sys.argv[1], timeout=60)
def rows(sql): return [row[0] for row in db.execute(sql)]
every = Counter(rows("SELECT source FROM increments"))
if sys.argv[3] == "whole":
    assert rows("PRAGMA integrity_check") == ["ok"]
    assert not rows("PRAGMA foreign_key_check")
    assert max(every.values(), default=1) == 1, every
else:
    left = {table: rows(f"SELECT count(*) FROM {table} WHERE {condition}")[0] for table, condition in {
        "attempts": "ended IS NULL", "requests": "1", "restores": "ended IS NULL",
        "images": "state <> 'READY' OR keep IS NOT NULL", "disk_images": "state = 'LOCKED'",
        "templates": "state = 'LOCKED'", "scheduled_vms": "job_state IN ('OUTDATED', 'BACKING_UP')"}.items()}
    assert not any(left.values()), left
    store = set(os.listdir(sys.argv[2]))
    assert set(every) <= store, set(every) - store
    # What a backup stored that was itself killed before it could say so, nobody knows of: gc is for that.
    assert len(store - set(every)) <= int(sys.argv[4]), (store - set(every), sys.argv[4])
X

# orders: some, as if they had been accepted just before the service died
orders() {
    local vm=$((1000000 + RANDOM % 6)) due='unixepoch() - 1'
    case $((RANDOM % 6)) in
    0) sql "UPDATE attempts SET cancelled = 1 WHERE ended IS NULL" ;;
    1) sql "UPDATE images SET state = 'DELETE' WHERE vm = $vm AND keep IS NULL AND id NOT IN
              (SELECT image FROM attempts WHERE ended IS NULL AND image IS NOT NULL)" ;;
    2) sql "INSERT OR REPLACE INTO restores (vm, image, increment, disk, started)
              SELECT vm, id, -1, -1, 1 FROM images WHERE vm = $vm AND state = 'READY' AND keep IS NULL LIMIT 1" ;;
    3) sql "INSERT INTO actions (subject, parent, time, repeat, days, end_type, end_value, anchor, done, datastore, reset, message)
              VALUES ('BACKUPJOB', 1, $due, -1, '', 0, 0, $due, -1, -1, 0, '')" ;;
    4) sql "INSERT INTO disk_images (id, name, owner, datastore, type, created, source, template, image, increment, disk)
              SELECT seq + 1, 'd', 0, 1, 'OS', 1, '$VMVAULT_VAR/restored/' || (seq + 1) || '.qcow2', -1,
                (SELECT min(id) FROM images), -1, 0 FROM sqlite_sequence
                WHERE name = 'images' AND EXISTS (SELECT 1 FROM images);
            UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'images'" ;;
    esac
}

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
        orders
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
    for ((n = 0; n < ${KILLS-60}; ++n)); do
        sleep "0.$((RANDOM % 9 + 1))"   # at a moment of no importance
        kill_one "$settings
RPO = 4"
    done
    service_end KILL
    service_start "$settings
RPO = 0"
    eventually check settled 2>/dev/null || { check settled; false; }
    service_end TERM
    check whole
    [ "$(find "$FAKE/store" -type f | wc -l)" -ge 6 ]
}
