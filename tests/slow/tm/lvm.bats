# SPDX-License-Identifier: Apache-2.0
# What befalls backups of disks in LVM, and what is made of it.

load ../../tm/lvm/helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

@test "increment follows increment, each with the snapshot of its parent beside its own" {
    there <<'SCRIPT'
vm_start 32 16
disk_write 0 'write -P 1 0 3M' 'write -P 2 20M 4k' 'write -P 7 24M 1M'
disk_write 1 'write -P 9 0 1M'
increment backup_live -1
[ "$(snapshots)" = '0_one_backup_0 1_one_backup_0' ]
[ "$(result '.disks[0].read_bytes')" -le $((5 << 20)) ]

# What was there is discarded, and written with zeros: both hide it.
disk_write 0 'discard 0 512k' 'write -P 0 24M 512k' 'write -z 20M 4k' 'write -P 3 1M 128k' 'write -P 4 30M 4k'
disk_write 1 'write -P 5 5M 4M'
increment backup_live 0 SUSPEND
[ "$(result '.disks[].kind' | sort -u)" = increment ]
[ "$(result .freeze.consistent)" = true ]
[ "$(result '.disks[0].read_bytes')" -le $((1 << 20)) ]
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_1 1_one_backup_0 1_one_backup_1' ]

disk_write 0 'write -P 6 31M 64k'
increment backup_live 1
[ "$(result '.disks[0].dirty_bytes')" -eq 65536 ]
[ "$(result '.disks[1].dirty_bytes')" -eq 0 ]
[ "$(snapshots)" = '0_one_backup_1 0_one_backup_2 1_one_backup_1 1_one_backup_2' ]
for n in 0 1 2; do
    for disk in 0 1; do restores $disk $n; done
done
SCRIPT
}

@test "a VM that is off: its volumes and its pool are as inactive as they were" {
    there <<'SCRIPT'
DISKS=thin
export DEPLOY_ID=
vm_start 16
disk_write 0 'write -P 1 0 1M'
increment backup -1
disk_write 0 'write -P 2 4M 64k'
cat "$(device 0)" >/tmp/ref.0.1
lvchange -qq -an "$GROUP/$(lv 0)"
[ ! -e /dev/mapper/$TPOOL ]
step prebackup 0
cp $VM_DIR/backup/disk.0.1 $CHAIN
step postbackup 0
clean
[ ! -e /dev/mapper/$TPOOL ]
restores 0 1
SCRIPT
}

@test "an upload that failed: the parent is there for the next attempt, which reads the same" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
disk_write 0 'write -P 2 4M 64k'
step prebackup_live 0
step postbackup_live 0
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_1' ]
disk_write 0 'write -P 3 8M 64k'
increment backup_live 0
[ "$(result '.disks[0].dirty_bytes')" -eq $((2 * 65536)) ]
restores 0 1
SCRIPT
}

@test "without the parent's snapshot the increment is whole, and says why" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
lvremove -qq -y "$GROUP/$(lv 0)_one_backup_0"
disk_write 0 'discard 0 1M' 'write -P 2 4M 64k'
increment backup_live 0
[ "$(result '.disks[0].kind')" = whole ]
[[ $(result '.disks[0].why') == *'_one_backup_0 is not there' ]]
restores 0 1
SCRIPT
}

@test "a chain that OpenNebula's own driver began goes on; what it left is cleaned" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
cat "$(device 0)" >/tmp/ref.0.0
for leftover in one_backup one_backup_0 one_backup_1 one_backup_8 s1; do
    lvcreate -qq -s -n "$(lv 0)_$leftover" "$GROUP/$(lv 0)"
done
mkdir -p $CHAIN
lvchange -qq -K -ay "$GROUP/$(lv 0)_one_backup_0"
qemu-img convert -O qcow2 "$(device 0)_one_backup_0" $CHAIN/disk.0.0
# It died while it compared.
dmsetup message $TPOOL 0 reserve_metadata_snap
disk_write 0 'write -P 2 4M 64k'
increment backup_live 0
[ "$(result '.disks[0].kind')" = increment ]
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_1' ]
[[ $(volumes) == *0_s1* ]]
restores 0 1
SCRIPT
}

@test "a full backup leaves no snapshot behind, as a view and as a copy" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
lvcreate -qq -s -n "$(lv 0)_one_backup_5" "$GROUP/$(lv 0)"
increment backup_live -1 NONE FULL
[ -z "$(snapshots)" ]
restores 0 0
cp $CHAIN/disk.0.0 /tmp/view
VMVAULT_EXPORT=copy step prebackup_live -1 NONE FULL
[ -z "$(snapshots)" ]
cmp /tmp/view $VM_DIR/backup/disk.0.0
step postbackup_live -1 NONE FULL
clean
SCRIPT
}

@test "volumes that grow, shrink and grow again" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 16M'
increment backup_live -1
lvextend -qq -L 24M "$GROUP/$(lv 0)"
disk_write 0 'write -P 3 20M 64k'
increment backup_live 0
lvreduce -qq -y -f -L 8M "$GROUP/$(lv 0)"
increment backup_live 1
lvextend -qq -L 16M "$GROUP/$(lv 0)"
increment backup_live 2
for n in 0 1 2 3; do restores 0 $n; done
SCRIPT
}

@test "a disk on top of an image: what was discarded shows the image again" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
lvcreate -qq -W n -y -L 16M -n image $GROUP
qemu-io -f raw -c 'write -P 7 0 16M' /dev/$GROUP/image >/dev/null
lvremove -qq -y "$GROUP/$(lv 0)"
lvchange -qq -pr $GROUP/image
lvchange -qq -an $GROUP/image
lvcreate -qq -s --thinpool $POOL $GROUP/image -n "$(lv 0)" -ky
lvchange -qq -K -ay "$GROUP/$(lv 0)"
disk_write 0 'write -P 1 1M 1M'
increment backup_live -1
disk_write 0 'discard 1M 512k' 'write -P 2 8M 64k'
increment backup_live 0
[ "$(result '.disks[0].dirty_bytes')" -eq $(((512 << 10) + 65536)) ]
restores 0 0
restores 0 1
SCRIPT
}

@test "a volume that is not thin: in full while the VM is off, else refused" {
    there <<'SCRIPT'
vm_start 16
lvcreate -qq -W n -y -L 16M -n "$(lv 1)" $GROUP
DISKS='thin thick'
ln -sfn "$(device 1)" $VM_DIR/disk.1
node_xml >/tmp/node.xml
disk_write 1 'write -P 5 1M 1M'
for refused in 'prebackup_live -1 NONE FULL' 'prebackup_live -1'; do
    # shellcheck disable=SC2086 # words
    if step $refused 2>/tmp/why; then fail "not refused: $refused"; fi
    grep -q 'is not thin: it can only be backed up in full, while the VM is off' /tmp/why
    step postbackup_live -1
    clean
done
[ -z "$(snapshots)" ]
export DEPLOY_ID=
cat "$(device 1)" >/tmp/ref.1.0
lvchange -qq -an "$GROUP/$(lv 1)"
step prebackup -1 NONE FULL
mkdir $CHAIN
cp $VM_DIR/backup/disk.1.0 $CHAIN
step postbackup -1 NONE FULL
clean
[ ! -e "$(device 1)" ]
restores 1 0
SCRIPT
}

@test "a pool that a snapshot could fill is extended; where there is no room for that, nothing is done" {
    there <<'SCRIPT'
DISKS=thin
vm_start 32
disk_write 0 'write -P 1 0 32M'
increment backup_live -1
[ "$(lvs --noheadings --nosuffix --units m -o lv_size $GROUP/$POOL | xargs)" = 64.00 ]
disk_write 0 'write -P 2 0 32M'   # the guest can write all of it again
lvcreate -qq -W n -y -l 100%FREE -n rest $GROUP
! step prebackup_live 0 2>/tmp/why || fail 'backed up without room'
grep -q "cannot extend the thin pool $GROUP/$POOL" /tmp/why
step postbackup_live 0
clean
[ "$(snapshots)" = 0_one_backup_0 ]
lvremove -qq -y $GROUP/rest
increment backup_live 0
restores 0 1
SCRIPT
}

@test "another device than the one that the domain runs on, and a volume that is not there" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
sed -i "s|$VM_DIR/disk.0|/dev/vda|" /tmp/node.xml
! step prebackup_live -1 2>/tmp/why || fail 'not refused'
grep -q "but the domain has '/dev/vda' as 'vda'" /tmp/why
lvchange -qq -an "$GROUP/$(lv 0)"
lvrename -qq $GROUP "$(lv 0)" elsewhere
! step prebackup_live -1 2>/tmp/why || fail 'not refused'
grep -q "there is no volume $GROUP/$(lv 0)" /tmp/why
step postbackup_live -1
clean
SCRIPT
}

@test "the exporter and its guard are killed: what they owe is paid when somebody looks" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
step prebackup_live -1 NONE FULL
exporter=$(jq .exporter $VM_DIR/backup.journal)
guard=$(jq .guard $VM_DIR/backup.journal)
kill -9 "$guard" "$exporter"
[ -n "$(active)" ]
vm_xml -1 NONE FULL | /remotes/tm/lvm/recover localhost:$VM_DIR 0 lab - $VM_ID 0 ''
clean
[ -z "$(snapshots)" ]
SCRIPT
}

@test "a volume that a killed program left suspended goes on" {
    there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
step prebackup_live -1 NONE FULL
dmsetup suspend --noflush vg--one--0-lv--one--5--0
step postbackup_live -1 NONE FULL
clean
[ "$(dmsetup info -c --noheadings -o suspended vg--one--0-lv--one--5--0)" = Active ]
SCRIPT
}

@test "a file and a volume of a VM that is off are one backup" {
    there <<'SCRIPT'
export DEPLOY_ID=
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
cat "$(device 0)" >/tmp/ref.0.0
qemu-img create -q -f qcow2 $VM_DIR/disk.1 8M
qemu-io -c 'write -P 3 0 1M' $VM_DIR/disk.1 >/dev/null
qemu-img convert -O raw $VM_DIR/disk.1 /tmp/ref.1.0
DISKS='thin file'
step prebackup -1
mkdir $CHAIN
cp $VM_DIR/backup/disk.?.0 $CHAIN
step postbackup -1
clean
restores 0 0
restores 1 0
SCRIPT
}

@test "a program of LVM that hangs: an error within the deadline, nothing of it is left, and the next backup works" {
    LIMIT=1200 there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
disk_write 0 'write -P 2 4M 64k'
for name in lvs lvcreate lvchange dmsetup; do
    mv /usr/bin/$name /usr/bin/$name.real
    cat >/usr/bin/$name <<HANGS
#!/usr/bin/bash
[ ! -e /tmp/hangs ] || { trap '' TERM; while [ -e /tmp/hangs ]; do sleep 1; done; exit 1; }
exec -a $name /usr/bin/$name.real "\$@"
HANGS
    chmod 755 /usr/bin/$name
    # While it suspends the guest, and when it is not asked to.
    for freeze in SUSPEND NONE; do
        touch /tmp/hangs
        if VMVAULT_LVM_DEADLINE=15 step prebackup_live 0 $freeze 2>/tmp/why; then fail "$name: not noticed"; fi
        grep -q 'did not end within 15 s' /tmp/why || fail "$name: $(cat /tmp/why)"
        rm /tmp/hangs
        step postbackup_live 0
        clean
    done
    mv /usr/bin/$name.real /usr/bin/$name
done
[ "$(snapshots | cut -d' ' -f1)" = 0_one_backup_0 ]
increment backup_live 0
restores 0 1
SCRIPT
}

@test "a pool whose metadata is nearly full takes no snapshot, whether the VM runs or not" {
    LIMIT=1200 there <<'SCRIPT'
DISKS=thin
vm_start 64
lvremove -qq -y -ff $GROUP
lvcreate -qq -W n --thin -L 128M --poolmetadatasize 2M $GROUP/$POOL -ky -Zy -an 2>/dev/null
lvcreate -qq --thin -V 64M $GROUP/$POOL -n "$(lv 0)" -ky 2>/dev/null
lvchange -qq -K -ay "$GROUP/$(lv 0)"
disk_write 0 'write -P 1 0 64M'
used() { lvs --noheadings -o metadata_percent $GROUP/$POOL | cut -d. -f1 | xargs; }
# Where there is so little of it, LVM itself makes nothing new above 75 %: devices that it does not know of.
for ((n = 1000; $(used) <= 91; n++)); do
    [ $n -lt 2000 ] || fail "the metadata does not fill: $(used)"
    for _ in {1..40}; do dmsetup message $TPOOL 0 "create_thin $((++n))"; done
done
refused() {   # refused ACTION WORDS
    if step "pre$1" -1 2>/tmp/why; then fail "not refused: $1"; fi
    grep -q "$2" /tmp/why || fail "$1: $(cat /tmp/why)"
    step "post$1" -1
    clean
    [ -z "$(snapshots)" ]
}
refused backup_live "metadata of the thin pool $GROUP/$POOL is nearly full"
# Of one that is not active nobody knows it but LVM.
vgchange -qq -an $GROUP
DEPLOY_ID='' refused backup "thin pool $GROUP/$POOL reached threshold"
SCRIPT
}

@test "as the user of a front-end, by sudo and its rules: a chain, and a program that hangs" {
    command -v sudo >/dev/null || skip 'there is no sudo for the guest'
    LIMIT=1200 there <<'SCRIPT'
DISKS=thin
vm_start 16
disk_write 0 'write -P 1 0 1M'
chown 9869:9869 $VM_DIR
mkdir -p /tmp/var-one /var/lock/one
chown -R 9869:9869 /tmp/var-one /var/lock/one
chmod 644 /tmp/node.xml
as_oneadmin() {   # as_oneadmin STEP PARENT
    vm_xml "$2" | VMVAULT_VAR=/tmp/var-one VMVAULT_EXPORT=copy setpriv --reuid 9869 --regid 9869 --init-groups \
        "/remotes/tm/lvm/$1" "localhost:$VM_DIR" 0 lab - $VM_ID 0
}
mkdir -p $CHAIN
for parent in -1 0; do
    cat "$(device 0)" >/tmp/ref.0.$((parent + 1))
    as_oneadmin prebackup_live $parent
    cp $VM_DIR/backup/disk.0.$((parent + 1)) $CHAIN
    as_oneadmin postbackup_live $parent
    clean
    disk_write 0 'write -P 2 4M 64k'
done
[ "$(result '.disks[0].kind')" = increment ]
restores 0 0
restores 0 1
# What runs as root he cannot end himself.
mv /usr/bin/lvcreate /usr/bin/lvcreate.real
printf '#!/usr/bin/bash\necho $$ >/tmp/hanging; exec sleep 600\n' >/usr/bin/lvcreate
chmod 755 /usr/bin/lvcreate
if VMVAULT_LVM_DEADLINE=15 as_oneadmin prebackup_live 1 2>/tmp/why; then fail 'not noticed'; fi
grep -q 'lvcreate .*did not end within 15 s' /tmp/why || fail "$(cat /tmp/why)"
kill -9 "$(cat /tmp/hanging)" 2>/dev/null || true   # sudo passes signals on
mv /usr/bin/lvcreate.real /usr/bin/lvcreate
as_oneadmin postbackup_live 1
clean
rm -rf ${VM_DIR:?}/*
chown 0:0 $VM_DIR
SCRIPT
}
