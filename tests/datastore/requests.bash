# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of datastores: what the core asks their actions for.
#
# MAD is the driver (restic), VM the id of the machine (12), VMDIR its directory and FILES the backup
# directory in it; datastore() prints the element DATASTORE.

xml_escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' <<<"$1"; }

publish_datastore() { (umask 077; datastore >"$VMVAULT_CORE_DIR/datastores/100.xml"); }

# vm: LAST is the increment that the core has recorded as the last one of the chain
vm() {
    local config=${BRIDGE-}
    [ -z "${LAST-}" ] || config+="<MODE>INCREMENT</MODE><LAST_INCREMENT_ID>$LAST</LAST_INCREMENT_ID>"
    cat <<XML
<VM><ID>${VM:-12}</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SIZE>4096</SIZE></DISK>
<DISK><DISK_ID>2</DISK_ID><SIZE>77</SIZE></DISK></TEMPLATE><BACKUPS><BACKUP_CONFIG>$config</BACKUP_CONFIG></BACKUPS></VM>
XML
}

write_vm_xml() { vm | base64 >"$FILES/vm.xml"; }

request() { echo "<DS_DRIVER_ACTION_DATA>$*</DS_DRIVER_ACTION_DATA>"; }

# backup [HOST] [JOB]: as the orchestrator calls it; run by the words of VIA
backup() {
    ${VIA-} "$BUILD/datastore/${MAD:-restic}/backup" "${1:-localhost}:$VMDIR" "${DISKS:-0}" "one-${VM:-12}" "${2:--}" "${VM:-12}" 0 \
        < <(request "$(datastore)" "$(vm)")
}

# backup_ok [ARGS]: sets ID to the new snapshot's
backup_ok() {
    run --separate-stderr backup "$@"
    # shellcheck disable=SC2154  # set by run
    [ "$status" -eq 0 ] || { echo "the backup failed: $stderr"; return 1; }
    # shellcheck disable=SC2034  # for the tests
    ID=${output%% *}
}

# image CHAIN_ENTRY...: an IMAGE with these increments ("0:aaaa0000")
image() {
    echo "<IMAGE><ID>57</ID><FORMAT>${FORMAT:-raw}</FORMAT><VMS><ID>${VM:-12}</ID></VMS><TEMPLATE>${IMAGE_TEMPLATE-}</TEMPLATE><BACKUP_INCREMENTS>"
    local one
    for one; do
        echo "<INCREMENT><ID>${one%%:*}</ID><SOURCE>${one#*:}</SOURCE></INCREMENT>"
    done
    echo '</BACKUP_INCREMENTS></IMAGE>'
}

# image_action NAME IMAGE [ARGS...]: one of those that get base64
image_action() {
    local name=$1 image=$2
    shift 2
    action "datastore/${MAD:-restic}/$name" "$@" < <(request "$image" "$(datastore)")
}

sequential() { "$FIXTURES/sequential_qcow2" "$@"; }

# one_line PART: the action failed with one plain line that holds PART, and said nothing else
one_line() {
    [ -z "$output" ] || { echo "stdout: $output"; return 1; }
    # shellcheck disable=SC2154  # set by run
    local plain
    plain=$(grep -Ev '^(ERROR|INFO|WARN|DEBUG): ' <<<"$stderr")
    if [ "$(wc -l <<<"$plain")" -ne 1 ] || [[ $plain != *"$1"* ]]; then
        echo "stderr: $stderr"
        return 1
    fi
}
