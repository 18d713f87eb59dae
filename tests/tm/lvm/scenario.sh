# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# In the guest of tests/fixtures/lvm_host: a VM with disks in LVM, and its backups.  Each script of a test
# runs after this, and ends with the first failure.
set -eEuo pipefail
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
VM_ID=5
VM_DIR=/var/vm
CHAIN=/tmp/chain
GROUP=vg-one-0
POOL=lv-one-$VM_ID-pool
TPOOL=vg--one--0-lv--one--$VM_ID--pool-tpool
export VMVAULT_VAR=/tmp/var LIBVIRT_URI=test:///tmp/node.xml
DISKS=${DISKS:-thin thin}

lv() { echo lv-one-$VM_ID-"$1"; }
device() { echo /dev/$GROUP/"$(lv "$1")"; }
fail() { echo "$*"; exit 1; }

# libvirt's own driver for tests: a domain that runs in the memory of whoever asks.
node_xml() {
    local id=0 disks=''
    for _ in $DISKS; do
        disks+="<disk type='block' device='disk'><source dev='$VM_DIR/disk.$id'/>
            <target dev='vd$(printf "\\x$((61 + id))")' bus='virtio'/></disk>"
        id=$((id + 1))
    done
    cat <<XML
<node><domain type='test'><name>lab</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e1900</uuid><memory>1024</memory>
<vcpu>1</vcpu><os><type>hvm</type></os><devices>$disks</devices></domain></node>
XML
}

# machine_start: once
machine_start() {
    mkdir -p $VM_DIR /tmp/var
    pvcreate -qq -y /dev/vda
    vgcreate -qq $GROUP /dev/vda 2>/dev/null
}

# vm_start MIB...: thin volumes of this size, active, in a pool of the VM's own, as OpenNebula makes them;
# 0 for a disk that is none
vm_start() {
    local id=0 size sum=0
    for size in "$@"; do sum=$((sum + size)); done
    lvcreate -qq -W n --thin -L ${sum}M $GROUP/$POOL -ky -Zy -an 2>/dev/null
    for size in "$@"; do
        [ "$size" -gt 0 ] || { id=$((id + 1)); continue; }
        lvcreate -qq --thin -V "${size}M" $GROUP/$POOL -n "$(lv $id)" -ky 2>/dev/null
        lvchange -qq -K -ay "$GROUP/$(lv $id)"
        ln -sfn "$(device $id)" $VM_DIR/disk.$id
        id=$((id + 1))
    done
    node_xml >/tmp/node.xml
}

# vm_end: nothing is left of it
vm_end() {
    step postbackup 9 || true
    rm -rf $CHAIN ${VM_DIR:?}/* /tmp/ref.* /tmp/restored
    vgchange -qq -an $GROUP 2>/dev/null
    lvremove -qq -y -ff $GROUP 2>/dev/null
}

disk_xml() {   # disk_xml ID KIND: thin, thick or file
    local thin=YES target
    target=vd$(printf "\\x$((61 + $1))")
    if [ "$2" = file ]; then
        echo "<DISK><DISK_ID>$1</DISK_ID><TARGET>$target</TARGET><TYPE>FILE</TYPE><TM_MAD>ssh</TM_MAD><FORMAT>qcow2</FORMAT></DISK>"
        return
    fi
    [ "$2" = thin ] || thin=NO
    echo "<DISK><DISK_ID>$1</DISK_ID><TARGET>$target</TARGET><TYPE>BLOCK</TYPE><TM_MAD>fs_lvm_ssh</TM_MAD>
        <LVM_THIN_ENABLE>$thin</LVM_THIN_ENABLE><FORMAT>raw</FORMAT><SIZE>64</SIZE></DISK>"
}

vm_xml() {   # vm_xml PARENT [FREEZE] [MODE]
    local id=0 kind disks=''
    for kind in $DISKS; do
        disks+=$(disk_xml $id "$kind")
        id=$((id + 1))
    done
    cat <<XML
<VM><ID>$VM_ID</ID><DEPLOY_ID>${DEPLOY_ID-lab}</DEPLOY_ID><LCM_STATE>69</LCM_STATE>
<TEMPLATE>$disks</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>${3:-INCREMENT}</MODE>
<INCREMENT_MODE>${INCREMENT_MODE-}</INCREMENT_MODE><LAST_INCREMENT_ID>$1</LAST_INCREMENT_ID><FS_FREEZE>${2:-NONE}</FS_FREEZE></BACKUP_CONFIG></BACKUPS>
<HISTORY_RECORDS><HISTORY><DS_ID>9</DS_ID></HISTORY><HISTORY><DS_ID>0</DS_ID></HISTORY></HISTORY_RECORDS></VM>
XML
}

step() {   # step NAME PARENT [FREEZE] [MODE]
    local name=$1 id=0 ids=''
    shift
    for _ in $DISKS; do ids+=$((id++)):; done
    vm_xml "$@" | "/remotes/tm/lvm/$name" "localhost:$VM_DIR" "${ids%:}" lab - $VM_ID 0
}

# disk_write N COMMAND...: qemu-io
disk_write() {
    local to words=() command
    to=$(device "$1")
    shift
    for command in "$@"; do words+=(-c "$command"); done
    qemu-io -f raw "${words[@]}" "$to" >/tmp/qemu-io 2>&1 || fail "$(cat /tmp/qemu-io)"
}

snapshots() { lvs --noheadings -o lv_name $GROUP | sed -n "s/lv-one-$VM_ID-\(.*_one_backup\)/\1/p" | sort | xargs; }
active() { lvs --noheadings -o lv_name -S 'lv_active=active && lv_name=~one_backup' $GROUP | xargs; }
held() { dmsetup status $TPOOL | cut -d' ' -f7; }
result() { jq -r "$1" $VM_DIR/backup.result; }
clean() {
    [ ! -e $VM_DIR/backup ] && [ ! -e $VM_DIR/backup.journal ] && [ -z "$(active)" ] || fail "not clean: $(active)
$(ls $VM_DIR; cat $VM_DIR/backup.journal $VM_DIR/backup.log)"
    ! [ -e /dev/mapper/$TPOOL ] || [ "$(held)" = - ] || fail "metadata is held"
}

# increment STEP PARENT [FREEZE] [MODE]: a backup that is uploaded; its references are beside
increment() {
    local own=$(($2 + 1)) id=0
    for _ in $DISKS; do
        cat "$(device $id)" >/tmp/ref.$id.$own
        id=$((id + 1))
    done
    step "pre$1" "${@:2}"
    mkdir -p $CHAIN
    for disk in $VM_DIR/backup/disk.?.$own; do qemu-img check -q -f qcow2 "$disk"; done
    cp $VM_DIR/backup/disk.* $CHAIN
    step "post$1" "${@:2}"
    clean
}

# restored DISK LAST FILE: with qemu-img alone (contract 4.8)
restored() {
    local n
    rm -rf /tmp/copies
    mkdir /tmp/copies
    cp $CHAIN/disk."$1".* /tmp/copies
    rm -f /tmp/copies/*.sums
    for ((n = 1; n <= $2; n++)); do
        qemu-img rebase -q -u -f qcow2 -F qcow2 -b "/tmp/copies/disk.$1.$((n - 1))" "/tmp/copies/disk.$1.$n"
    done
    qemu-img convert -O raw "/tmp/copies/disk.$1.$2" "$3"
}

# restores DISK LAST: to the bytes of the reference
restores() {
    restored "$1" "$2" /tmp/restored
    cmp "/tmp/ref.$1.$2" /tmp/restored
}

# restore_request: for restore_host; all disks
restore_request() {
    local id=0 disks=''
    for _ in $DISKS; do
        disks+="<DISK><ID>$id</ID><LVM>$GROUP/$(lv $id)</LVM><LVM_POOL>$POOL</LVM_POOL><LAYOUT>PLAIN</LAYOUT>
            <SOURCE></SOURCE><RAW>YES</RAW><SIZE>0</SIZE></DISK>"
        id=$((id + 1))
    done
    echo "<RESTORE_HOST><VM_ID>$VM_ID</VM_ID><VM_DIR>$VM_DIR</VM_DIR><TPM>NO</TPM>$disks</RESTORE_HOST>" |
        base64 -w0
    echo
}
restore_host() { restore_request | /remotes/tm/host/restore_host "$@"; }
receive() { { restore_request; cat "$2"; } | /remotes/tm/host/restore_host receive "$1"; }

# is DISK REFERENCE: what the volume holds now
is() { cmp "$(device "$1")" "$2"; }
volumes() { lvs --noheadings -o lv_name $GROUP | sed "s/lv-one-$VM_ID-//" | sed /one_backup/d | sort | xargs; }

# shim PROGRAM...: at the n-th call of one of them, counted from `arm n HOW`, its caller is killed.  The program
# dies with him, or goes on.  Or nobody is: the program fails, or waits for /tmp/go_on (and has made /tmp/waits).
shim() {
    local name
    for name in "$@"; do
        [ ! -e "/usr/bin/$name.real" ] || continue
        mv "/usr/bin/$name" "/usr/bin/$name.real"
        cat >"/usr/bin/$name" <<SHIM
#!/usr/bin/bash
if read -r n how 2>/dev/null </tmp/armed; then
    if [ "\$n" -gt 1 ]; then
        echo "\$((n - 1)) \$how" >/tmp/armed
    else
        rm /tmp/armed
        case \$how in
            dies) kill -9 \$PPID; exit 1 ;;
            goes_on) kill -9 \$PPID ;;
            fails) echo 'a broken program' >&2; exit 5 ;;
            waits) touch /tmp/waits; until [ -e /tmp/go_on ]; do usleep 100000; done ;;
        esac
    fi
fi
exec -a $name /usr/bin/$name.real "\$@"
SHIM
        chmod 755 "/usr/bin/$name"
    done
}
arm() { rm -f /tmp/waits /tmp/go_on; echo "$1 ${2:-dies}" >/tmp/armed; }
armed() { [ -e /tmp/armed ]; }
disarm() { rm -f /tmp/armed; }
