# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of the restic datastore: a VM's directory, a datastore, and requests.

# store_setup: for setup()
store_setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache VMVAULT_RESTIC_LOCK_WAIT=20
    BASE=$BATS_TEST_TMPDIR/base
    VMDIR=$BATS_TEST_TMPDIR/system/12
    FILES=$VMDIR/backup
    PASSWORD=s3same
    BACKEND='<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
    EXTRA=''
    mkdir -p "$FILES" "$VMVAULT_CORE_DIR/datastores"
}

# with_repository [ID]: one that is there already, and opens fast
with_repository() {
    local ready=$BATS_FILE_TMPDIR/repository
    [ -d "$ready" ] || "$FIXTURES/restic_repository" "$ready" s3same
    mkdir -p "$BASE"
    cp -r "$ready" "$BASE/${1:-12}"
}

# sftp_setup: after store_setup, the datastore is on a server, and other hosts can be reached
sftp_setup() {
    local line
    line=$("$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/sshd" --owner $$) || skip "no private sshd: $line"
    eval "$line"
    BACKEND="<RESTIC_SFTP_SERVER>bk1</RESTIC_SFTP_SERVER><RESTIC_SFTP_USER>$(id -un)</RESTIC_SFTP_USER>"
}

sftp_teardown() { [ ! -d "$BATS_TEST_TMPDIR/sshd" ] || "$FIXTURES/sshd" stop "$BATS_TEST_TMPDIR/sshd"; }

xml_escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' <<<"$1"; }

datastore() {
    cat <<XML
<DATASTORE><ID>100</ID><DS_MAD><![CDATA[restic]]></DS_MAD><BASE_PATH><![CDATA[$BASE]]></BASE_PATH>
<TEMPLATE><RESTIC_PASSWORD>$(xml_escape "$PASSWORD")</RESTIC_PASSWORD>$BACKEND$EXTRA</TEMPLATE></DATASTORE>
XML
}

publish_datastore() { (umask 077; datastore >"$VMVAULT_CORE_DIR/datastores/100.xml"); }

# vm: LAST is the increment that the core has recorded as the last one of the chain
vm() {
    local config=${BRIDGE-}
    [ -z "${LAST-}" ] || config+="<MODE>INCREMENT</MODE><LAST_INCREMENT_ID>$LAST</LAST_INCREMENT_ID>"
    cat <<XML
<VM><ID>12</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SIZE>4096</SIZE></DISK>
<DISK><DISK_ID>2</DISK_ID><SIZE>77</SIZE></DISK></TEMPLATE><BACKUPS><BACKUP_CONFIG>$config</BACKUP_CONFIG></BACKUPS></VM>
XML
}

write_vm_xml() { vm | base64 >"$FILES/vm.xml"; }

request() { echo "<DS_DRIVER_ACTION_DATA>$*</DS_DRIVER_ACTION_DATA>"; }

# backup [HOST] [JOB]: as the orchestrator calls it; run by the words of VIA
backup() {
    ${VIA-} "$BUILD/datastore/restic/backup" "${1:-localhost}:$VMDIR" "${DISKS:-0}" one-12 "${2:--}" 12 0 \
        < <(request "$(datastore)" "$(vm)")
}

# backup_ok [ARGS]: sets ID to the new snapshot's
backup_ok() {
    run -0 --separate-stderr backup "$@"
    # shellcheck disable=SC2034  # for the tests
    ID=${output%% *}
}

# image CHAIN_ENTRY...: an IMAGE with these increments ("0:aaaa0000")
image() {
    echo "<IMAGE><ID>57</ID><FORMAT>${FORMAT:-raw}</FORMAT><VMS><ID>12</ID></VMS><TEMPLATE>${IMAGE_TEMPLATE-}</TEMPLATE><BACKUP_INCREMENTS>"
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
    action "datastore/restic/$name" "$@" < <(request "$image" "$(datastore)")
}

restic_here() { RESTIC_PASSWORD=$PASSWORD restic --no-cache -q -r "$BASE/${REPO:-12}" "$@"; }

# snapshots: the short ids, oldest first
snapshots() { restic_here snapshots --json --no-lock | jq -r 'sort_by(.time)[].short_id'; }

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
