# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Actions on a store of files, $FAKE/store/<name>, as the drivers promise them: a backup that is
# cancelled leaves nothing, a delete and a merge can be repeated at any point.

# store_setup: they take the place of the others
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
