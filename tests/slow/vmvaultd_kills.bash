# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Kills under a mixed load: what is ordered, and what must be true then.

# store_setup: actions on a store of files, $FAKE/store/<name>, as the drivers promise them, take the
# place of the others: a backup that is cancelled leaves nothing, a delete and a merge can be repeated
# at any point
store_setup() {
    mkdir -p "$FAKE/store"
    act() { cat >"$VMVAULT_REMOTES/$1"; chmod 755 "$VMVAULT_REMOTES/$1"; }
    act vmm/kvm/backup <<'SH'
#!/usr/bin/env bash
set -eu
cat >/dev/null
[ -d "$FAKE" ] || exit 1
echo "$$" >"$FAKE/pid.$1"
trap 'echo "ends $1" >>"$CALLS"; echo "Backup cancelled" >&2; exit 143' TERM
echo "begins $1" >>"$CALLS"
sleep "0.$((RANDOM % 9))"
name=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
trap '' TERM
touch "$FAKE/store/$name"
echo "ends $1" >>"$CALLS"
echo "$name 2 raw"
SH
    act vmm/kvm/backup_cancel <<'SH'
#!/usr/bin/env bash
cat >/dev/null
exit 0
SH
    # of the request: the names of its increments, oldest first
    act names <<'SH'
#!/usr/bin/env python3
import base64, sys, xml.etree.ElementTree as ET
root = ET.fromstring(base64.b64decode(sys.stdin.read()))
chain = [(one.findtext("ID"), one.findtext("SOURCE")) for one in root.findall("IMAGE/BACKUP_INCREMENTS/INCREMENT")]
print(*(":".join(one) for one in chain or [("0", root.findtext("IMAGE/SOURCE"))]))
print(root.findtext("EXTRA_DATA/KEEP_LAST") or "")
SH
    act datastore/restic/rm <<'SH'
#!/usr/bin/env bash
set -eu
{ read -r chain; read -r _; } < <("$VMVAULT_REMOTES/names")
for one in $chain; do sleep 0.05; rm -f "$FAKE/store/${one#*:}"; done
SH
    act datastore/restic/increment_flatten <<'SH'
#!/usr/bin/env bash
set -eu
{ read -r -a chain; read -r keep; } < <("$VMVAULT_REMOTES/names")
count=$((${#chain[@]} - keep + 1))
merged=("${chain[@]:0:count}") rest=("${chain[@]:count}")
name=$(sha1sum <<<"${merged[*]}" | cut -c-8)
touch "$FAKE/store/$name"
for one in "${merged[@]}"; do sleep 0.05; rm -f "$FAKE/store/${one#*:}"; done
IFS=,
all=("${merged[-1]%%:*}:$name" "${rest[@]}")
echo "2 ${all[*]}"
SH
    act datastore/restic/downloader <<'SH'
#!/usr/bin/env bash
sleep "0.$((RANDOM % 5))"
case $1 in
--stream) exec cat "$FAKE/disk.qcow2" ;;
*) exec cat "$FAKE/$2" ;;
esac
SH
    act tm/qcow2/restore <<'SH'
#!/usr/bin/env bash
sleep "0.$((RANDOM % 9))"
SH
}

# check whole|settled|known: of the state file, and what `stored` says that the store has
check() { python3 - "$VMVAULT_VAR/state.db" "$1" "${children-}" 3< <([ "$1" != known ] || stored) <<'X'; }
import os, sqlite3, sys
from collections import Counter
db = sqlite3.connect(sys.argv[1], timeout=60)
def rows(sql): return [row[0] for row in db.execute(sql)]
every = Counter(rows("SELECT source FROM increments"))
if sys.argv[2] == "whole":
    assert rows("PRAGMA integrity_check") == ["ok"]
    assert not rows("PRAGMA foreign_key_check")
    assert max(every.values(), default=1) == 1, every
elif sys.argv[2] == "settled":
    left = {table: rows(f"SELECT count(*) FROM {table} WHERE {condition}")[0] for table, condition in {
        "attempts": "ended IS NULL", "requests": "1", "restores": "ended IS NULL",
        "images": "state <> 'READY' OR keep IS NOT NULL", "disk_images": "state = 'LOCKED'",
        "templates": "state = 'LOCKED'", "scheduled_vms": "job_state IN ('OUTDATED', 'BACKING_UP')"}.items()}
    assert not any(left.values()), left
else:
    store = os.fdopen(3).read().split()
    lost = [one for one in every if not any(name.startswith(one) for name in store)]
    assert not lost, lost
    # What a backup stored that was itself killed before it could say so, nobody knows of: gc is for that.
    assert not sys.argv[3] or len(store) - len(every) <= int(sys.argv[3]), (store, every, sys.argv[3])
X

# orders MACHINES: some of so many machines, as if they had been accepted just before the service died
orders() {
    local vm=$((1000000 + RANDOM % $1)) due='unixepoch() - 1'
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
