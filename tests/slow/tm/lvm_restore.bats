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
[ "$(restore_host end)" = restored ]
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
[ "$(restore_host end)" = restored ]
[ "$(lvs --noheadings -o pool_lv "$GROUP/$(lv 1)" | xargs)" = '' ]
[ "$(volumes)" = '0 1 pool' ]
SCRIPT
}

@test "killed at each call of a program: all disks are the old ones, or all the new ones" {
    LIMIT=1500 there <<'SCRIPT'
DISKS='thin thin'
vm_start 4 4
for id in 0 1; do
    for age in 1 2; do
        truncate -s 4M /tmp/ref.$age.$id
        qemu-io -f raw -c "write -P $age$id 1M 64k" /tmp/ref.$age.$id >/dev/null
        qemu-img convert -f raw -O qcow2 /tmp/ref.$age.$id /tmp/age.$age.$id
    done
    disk_write $id "write -P 1$id 1M 64k"
    is $id /tmp/ref.1.$id
done
# What the disks are is age 1 or 2, all of them.
age() {
    if is 0 /tmp/ref.1.0 >/dev/null && is 1 /tmp/ref.1.1 >/dev/null; then echo 1; return; fi
    is 0 /tmp/ref.2.0 && is 1 /tmp/ref.2.1 && echo 2
}
restore_all() {
    begun=no
    restore_host begin || return
    begun=yes
    receive 0 "/tmp/age.$1.0" && receive 1 "/tmp/age.$1.1" && restore_host swap && restore_host end >/dev/null
}
shim lvcreate lvremove lvchange lvextend lvrename
now=1
declare -A ended=()
for ((n = 1; ; n++)); do
    arm $n
    to=$((3 - now))
    restore_all $to 2>/tmp/why || true
    if armed; then break; fi
    said=$(restore_host end)
    expected=$to
    if [ $begun = no ] || [ "$said" = undone ]; then expected=$now; fi
    now=$(age)
    [ "$now" = "$expected" ] || fail "call $n: age $now after '$said'"
    [ "$(volumes)" = '0 1 pool' ] || fail "call $n: $(volumes)"
    [ ! -e $VM_DIR/restore.journal ]
    ended[$said]=yes
done
disarm
[ $n -gt 14 ]
[ "${ended[undone]}${ended[restored]}" = yesyes ]
[ "$(age)" = "$to" ]
SCRIPT
}
