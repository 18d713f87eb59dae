# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Backups of a VM with disks in a private Ceph cluster.
load ../../helper.bash

VM_ID=77
VM_DIR=${BATS_FILE_TMPDIR:-}/vm
VOLATILE=one/one-sys-77-1

# For setup_file: the cluster
ceph_start() {
    local said
    said=$("$FIXTURES/ceph" start "$BATS_FILE_TMPDIR/ceph" --owner $$ --pool one --pool other \
        --client libvirt 'profile rbd' 'profile rbd' \
        --client stranger 'profile rbd' 'profile rbd pool=other') || return
    eval "$said"
    export CEPH_CONF CEPH_PORT
    mkdir -p "$VM_DIR"
}
ceph_stop() { "$FIXTURES/ceph" stop "$BATS_FILE_TMPDIR/ceph"; }
osd() { "$FIXTURES/ceph" osd "$BATS_FILE_TMPDIR/ceph" "$1"; }
mon() { "$FIXTURES/ceph" mon "$BATS_FILE_TMPDIR/ceph" "$1"; }

full_at() {   # full_at NEARLY SO_TO_SAY REALLY
    ceph osd set-nearfull-ratio "$1"
    ceph osd set-backfillfull-ratio "$2"
    ceph osd set-full-ratio "$3"
} >/dev/null 2>&1
is_full() { [[ $(ceph osd dump | grep "^pool .*'one'") == *,full,* ]]; }
is_not_full() { ! is_full; }

# no_snapshots IMAGE: it has none any more
no_snapshots() {
    rbd snap ls --format json "$1" | jq -r '.[] | select(.protected == "true").name' |
        xargs -I{} rbd snap unprotect "$1@{}"
    rbd snap purge --no-progress "$1"
}

# disk_xml ID SPEC: SPEC is POOL/IMAGE, clone:POOL/IMAGE, volatile:POOL or the name of a file's format
disk_xml() {
    local type=RBD more=''
    case $2 in
        clone:*) more="<SOURCE>${2#*:}</SOURCE><CLONE>YES</CLONE>" ;;
        volatile:*) type=fs more="<DISK_TYPE>RBD</DISK_TYPE><POOL_NAME>${2#*:}</POOL_NAME>" ;;
        */*) more="<SOURCE>$2</SOURCE><CLONE>NO</CLONE>" ;;
        *) type=FILE more="<FORMAT>$2</FORMAT>" ;;
    esac
    echo "<DISK><DISK_ID>$1</DISK_ID><TARGET>vd$(printf "\\x$((61 + $1))")</TARGET><TYPE>$type</TYPE>$more
        <CEPH_USER>${CEPH_USER-libvirt}</CEPH_USER><CEPH_CONF>$CEPH_CONF</CEPH_CONF>${CEPH_KEY:+<CEPH_KEY>$CEPH_KEY</CEPH_KEY>}<SIZE>64</SIZE></DISK>"
}

# vm_xml PARENT [FREEZE] [MODE]: with the disks of DISKS
vm_xml() {
    local id=0 spec disks=''
    for spec in $DISKS; do
        disks+=$(disk_xml $id "$spec")
        id=$((id + 1))
    done
    cat <<XML
<VM><ID>$VM_ID</ID><DEPLOY_ID>${DEPLOY_ID-lab}</DEPLOY_ID><LCM_STATE>69</LCM_STATE>
<TEMPLATE>$disks</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>${3:-INCREMENT}</MODE>
<INCREMENT_MODE>${INCREMENT_MODE-}</INCREMENT_MODE><LAST_INCREMENT_ID>$1</LAST_INCREMENT_ID><FS_FREEZE>${2:-NONE}</FS_FREEZE>
${BRIDGE:+<LAST_BRIDGE>$BRIDGE</LAST_BRIDGE>}$(captures)</BACKUP_CONFIG></BACKUPS></VM>
XML
}

# As vmvault's own cores name backups: CAPTURE, and LAST_CAPTURE unless it is "none".
captures() {
    echo "${CAPTURE:+<CAPTURE>$CAPTURE</CAPTURE>}"
    [ "${LAST_CAPTURE-none}" = none ] || echo "<LAST_CAPTURE>$LAST_CAPTURE</LAST_CAPTURE>"
}

# step NAME PARENT [FREEZE] [MODE]
step() {
    local name=$1 id=0 spec ids=''
    shift
    for spec in $DISKS; do ids+=$((id++)):; done
    vm_xml "$@" | "$BUILD/tm/ceph/$name" "${HOST:-localhost}:$VM_DIR" "${ids%:}" lab - $VM_ID 0
}

# image_write IMAGE COMMAND...: qemu-io, of an image that nobody runs on
image_write() {
    local image=$1 command words=()
    shift
    for command in "$@"; do words+=(-c "$command"); done
    qemu-io -f raw "${words[@]}" "rbd:$image:conf=$CEPH_CONF" >/dev/null
}

# image_now IMAGE FILE: what it holds
image_now() { rbd export --no-progress "$1" - >"$2"; }

snapshots() { rbd snap ls --format json "$1" | jq -r '.[].name' | xargs; }
is_protected() { [ "$(rbd snap ls --format json "$1" | jq -r --arg s "$2" '.[] | select(.name == $s).protected')" = true ]; }
result() { jq -r "$1" "$VM_DIR/backup.result"; }
clean() { [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/backup.journal" ]; }

# keep INCREMENT: what an uploader would: the disks of the backup dir, in CHAIN
keep() {
    mkdir -p "$CHAIN"
    qemu-img check -q "$VM_DIR"/backup/disk.0."$1"
    cp "$VM_DIR"/backup/disk.* "$CHAIN"
}

# restore DISK FIRST LAST FILE: with qemu-img alone, as OpenNebula's own drivers do (contract 4.8)
restore() {
    local n dir
    dir=$(mktemp -d -p "$BATS_TEST_TMPDIR")
    cp "$CHAIN/disk.$1".* "$dir"
    for ((n = $2 + 1; n <= $3; n++)); do
        qemu-img rebase -q -u -f qcow2 -F qcow2 -b "$dir/disk.$1.$((n - 1))" "$dir/disk.$1.$n"
    done
    qemu-img convert -O raw "$dir/disk.$1.$3" "$4"
    rm -r "$dir"
}

# restores DISK FIRST LAST REFERENCE: to the bytes
restores() {
    restore "$1" "$2" "$3" "$BATS_TEST_TMPDIR/restored"
    cmp "$4" "$BATS_TEST_TMPDIR/restored"
}
