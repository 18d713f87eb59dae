# SPDX-License-Identifier: Apache-2.0
# Disks in LVM are restored in place.

load ../../tm/lvm/helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

@test "restored disks are made beside the old ones, and take their names together" {
    there <<'SCRIPT'
vm_start 16 16
for id in 0 1; do
    disk_write $id "write -P $((id + 1)) 0 1M"
    cat "$(device $id)" >/tmp/ref.old.$id
    truncate -s 16M /tmp/ref.new.$id
    qemu-io -f raw -c "write -P $((id + 7)) 3M 1M" /tmp/ref.new.$id >/dev/null
    qemu-img convert -f raw -O qcow2 /tmp/ref.new.$id /tmp/new.$id
done
lvcreate -qq -s -n "$(lv 0)_one_backup_3" "$GROUP/$(lv 0)"
before=$(volumes)
restore_host begin
receive 0 /tmp/new.0
! restore_host swap 2>/tmp/why || fail "swapped without disk 1"
grep -q 'disk 1 has not come' /tmp/why
[ "$(restore_host end)" = undone ]
[ "$(volumes)" = "$before" ]
is 0 /tmp/ref.old.0

restore_host begin
receive 0 /tmp/new.0
receive 1 /tmp/new.1
restore_host swap
for id in 0 1; do is $id /tmp/ref.new.$id; done
[ "$(volumes)" = "$before" ]
[ -z "$(snapshots)" ]   # they were the old one's
[ ! -e $VM_DIR/restore.journal ]
SCRIPT
}

@test "a volume that somebody has open is not restored" {
    there <<'SCRIPT'
DISKS=thin
vm_start 8
disk_write 0 'write -P 1 0 1M'
cat "$(device 0)" >/tmp/ref.old.0
exec 5<"$(device 0)"
! restore_host begin 2>/tmp/why || fail 'not refused'
grep -q "the volume $GROUP/$(lv 0)" /tmp/why || fail "$(cat /tmp/why)"
[ ! -e $VM_DIR/restore.journal ]
exec 5<&-
restore_host begin
exec 5<"$(device 0)"
qemu-img create -q -f qcow2 /tmp/new.0 8M
receive 0 /tmp/new.0
! restore_host swap 2>/tmp/why || fail 'not refused'
exec 5<&-
[ "$(restore_host end)" = undone ]
[ "$(volumes)" = '0 pool' ]
is 0 /tmp/ref.old.0
SCRIPT
}

@test "a volume that is not thin is made anew, with zeros where the backup has none" {
    there <<'SCRIPT'
vm_start 8
lvcreate -qq -W n -y -L 8M -n "$(lv 1)" $GROUP
disk_write 1 'write -P 5 0 8M'
qemu-img create -q -f qcow2 /tmp/new.1 8M
qemu-io -c 'write -P 6 3M 64k' /tmp/new.1 >/dev/null
qemu-img convert -O raw /tmp/new.1 /tmp/ref.new.1
cp /tmp/new.1 /tmp/new.0
DISKS='thin thick'
restore_host begin
for id in 0 1; do receive $id /tmp/new.$id; done
restore_host swap
for id in 0 1; do is $id /tmp/ref.new.1; done
[ "$(lvs --noheadings -o pool_lv "$GROUP/$(lv 1)" | xargs)" = '' ]
[ "$(volumes)" = '0 1 pool' ]
SCRIPT
}
