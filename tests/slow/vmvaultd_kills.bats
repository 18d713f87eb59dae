# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd and its drivers, killed again and again while they work.

load ../drivers/vmvaultd/helper.bash

setup() { service_setup; }
teardown() { service_stop; }

# check WHAT: of the state file and the notes of the backups
check() { python3 - "$VMVAULT_VAR/state.db" "$CALLS" "$1" <<'X'; }
import sqlite3, sys
from collections import Counter
db = sqlite3.connect(sys.argv[1])
notes = [line.split() for line in open(sys.argv[2])]
done = Counter(words[0] for words in notes)
stored = Counter(words[2] for words in notes if words[0] == "stored")
known = Counter(row[0] for row in db.execute("SELECT source FROM increments"))
open_ones = db.execute("SELECT count(*) FROM attempts WHERE ended IS NULL").fetchone()[0]
if sys.argv[3] == "whole":
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not db.execute("PRAGMA foreign_key_check").fetchall()
    assert not known - stored, known - stored
    assert max(known.values(), default=1) == 1, known
else:
    running = db.execute("SELECT count(*) FROM requests").fetchone()[0]
    assert open_ones == 0 and running == 0 and done["begins"] == done["ends"], (open_ones, running, done)
    assert stored == known, (stored - known, known - stored)
X

@test "no result is lost, none is there twice, and nothing is left open" {
    local settings='MAX_BACKUPS = 3
MAX_BACKUPS_HOST = 0
RETRY_INTERVAL = 1' n victim
    machines 6
    go
    service_start "$settings
RPO = 4"
    for ((n = 0; n < ${KILLS-60}; ++n)); do
        sleep "0.$((RANDOM % 9 + 1))"   # at a moment of no importance
        case $((RANDOM % 3)) in
        0) victim=$service ;;
        1) victim=$(pgrep -P "$service" -f one_vmm_exec) || continue ;;
        2) victim=$(pgrep -P "$service" -f one_datastore) || continue ;;
        esac
        if [ "$victim" = "$service" ]; then
            service_end KILL
            check whole
            service_start "$settings
RPO = 4"
        else
            kill -KILL "$victim" 2>/dev/null || true
        fi
    done
    service_end KILL
    service_start "$settings
RPO = 0"
    eventually check settled 2>/dev/null || { check settled; false; }
    check whole
    [ "$(grep -c ^stored "$CALLS")" -ge 6 ]
}
