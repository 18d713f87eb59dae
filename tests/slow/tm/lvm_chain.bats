# SPDX-License-Identifier: Apache-2.0
# A long chain of a disk in LVM: what it costs, and who may go on with it.

load ../../tm/lvm/helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

@test "a full and six increments read what LVM says has changed, and write nothing" {
    LIMIT=1200 there <<'SCRIPT'
DISKS=thin
vm_start 256
disk_write 0 'write -P 1 0 64M'
# changes N: 1 % of the blocks, all over the volume, and no two side by side; in one they are discarded or zeroed
changes() {
    local block kind commands=()
    for ((block = $1; block < 4096; block += 100)); do
        kind="write -P $((block % 200 + $1))"
        if [ "$1" -eq 4 ]; then
            [ $((block % 200)) -eq 4 ] && kind=discard || kind='write -P 0'
        fi
        commands+=("$kind $((block * 64))k 64k")
    done
    disk_write 0 "${commands[@]}"
}
# What thin_delta names between two snapshots, in bytes.
changed() {
    local ids=() n table
    for n in "$1" "$2"; do ids+=("$(lvs --noheadings -o thin_id "$GROUP/$(lv 0)_one_backup_$n" | xargs)"); done
    dmsetup message $TPOOL 0 reserve_metadata_snap
    table=$(thin_delta -m --snap1 "${ids[0]}" --snap2 "${ids[1]}" "/dev/mapper/${TPOOL%-tpool}_tmeta")
    dmsetup message $TPOOL 0 release_metadata_snap
    sed -n 's/.*<\(different\|right_only\|left_only\) .*length="\([0-9]*\)".*/\2/p' <<<"$table" |
        { sum=0; while read -r n; do sum=$((sum + n)); done; echo $((sum * 65536)); }
}
mapped() { dmsetup status "vg--one--0-lv--one--5--0$1" | cut -d' ' -f4; }
here() { du -sxk / /tmp | cut -f1 | { read -r a; read -r b; echo $((a + b)); }; }
for n in 0 1 2 3 4 5 6; do
    [ $n -eq 0 ] || changes $n
    cat "$(device 0)" >/tmp/reference
    before=$(mapped '') files=$(here)
    step prebackup_live $((n - 1))
    md5sum <$VM_DIR/backup/disk.0.$n >/dev/null
    # All of it is read, and lies nowhere: no file, and no block of the pool.
    [ "$(mapped '')" = "$before" ]
    [ "$(mapped _one_backup_$n)" = "$before" ]
    grown=$(($(here) - files))
    [ $grown -lt 128 ] || fail "$grown KiB were written"
    if [ $n -gt 0 ]; then
        sum=$(changed $((n - 1)) $n) read=$(result '.disks[0].read_bytes')
        echo "increment $n: $read bytes read, $sum changed"
        [ "$sum" -gt $((20 * 65536)) ]
        [ $((read * 10)) -le $((sum * 11)) ]
    fi
    mkdir -p $CHAIN
    cp $VM_DIR/backup/disk.0.$n $CHAIN
    step postbackup_live $((n - 1))
    clean
    md5sum </tmp/reference >/tmp/sum.$n
done
for n in 0 1 2 3 4 5 6; do
    restored 0 $n /tmp/restored
    [ "$(md5sum </tmp/restored)" = "$(cat /tmp/sum.$n)" ]
done
SCRIPT
}

@test "OpenNebula's own driver goes on with our chain, and we with its" {
    there <<'SCRIPT'
DISKS=thin
# theirs PARENT: what it does, in that order (contract 3.5)
theirs() {
    local snapshot own ids=() n _ kind begin length
    own=$(($1 + 1))
    snapshot=$(lv 0)_one_backup_
    lvchange -qq --refresh $GROUP/$POOL
    lvcreate -qq -s -ky -n "$snapshot$own" "$GROUP/$(lv 0)"
    lvchange -qq -K -ay "$GROUP/$snapshot$own" "$GROUP/$snapshot$1"
    for n in "$1" "$own"; do ids+=("$(lvs --noheadings -o thin_id "$GROUP/$snapshot$n" | xargs)"); done
    dmsetup message $TPOOL 0 reserve_metadata_snap
    thin_delta -m --snap1 "${ids[0]}" --snap2 "${ids[1]}" "/dev/mapper/${TPOOL%-tpool}_tmeta" >/tmp/delta
    dmsetup message $TPOOL 0 release_metadata_snap
    truncate -s 16M /tmp/sparse
    sed -n 's/.*<\(different\|right_only\) begin="\([0-9]*\)" length="\([0-9]*\)".*/\2 \3/p' /tmp/delta |
        while read -r begin length; do
            dd if="/dev/$GROUP/$snapshot$own" of=/tmp/sparse \
                bs=64k skip="$begin" seek="$begin" count="$length" conv=notrunc
        done 2>/dev/null
    qemu-img convert -f raw -O qcow2 /tmp/sparse "$CHAIN/disk.0.$own"
    lvremove -qq -y "$GROUP/$snapshot$1"
}
vm_start 16
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
disk_write 0 'write -P 2 4M 64k'
increment backup_live 0
disk_write 0 'write -P 3 8M 128k'
cat "$(device 0)" >/tmp/ref.0.2
theirs 1
disk_write 0 'write -P 4 12M 64k' 'discard 0 64k'
increment backup_live 2
[ "$(result '.disks[0].kind')" = increment ]
[ "$(result '.disks[0].dirty_bytes')" -eq 131072 ]
[ "$(snapshots)" = '0_one_backup_2 0_one_backup_3' ]
for n in 0 1 2 3; do restores 0 $n; done
SCRIPT
}

@test "volumes that change places, with their snapshots: the increment is whole, and the one after it is not" {
    there <<'SCRIPT'
vm_start 16 16
disk_write 0 'write -P 1 0 1M'
disk_write 1 'write -P 2 0 1M'
increment backup_live -1
disk_write 0 'write -P 3 4M 64k'
increment backup_live 0
for snapshot in '' _one_backup_1; do
    lvrename -qq $GROUP "$(lv 0)$snapshot" spare
    lvrename -qq $GROUP "$(lv 1)$snapshot" "$(lv 0)$snapshot"
    lvrename -qq $GROUP spare "$(lv 1)$snapshot"
done
disk_write 0 'write -P 4 8M 64k'
increment backup_live 1
[ "$(result '[.disks[].kind] | join(" ")')" = 'whole whole' ]
[ "$(result '.disks[0].why')" = "the snapshot $GROUP/$(lv 0)_one_backup_1 is that of another backup" ]
disk_write 1 'write -P 5 12M 64k'
increment backup_live 2
[ "$(result '[.disks[] | .kind, .read_bytes] | join(" ")')" = 'increment 0 increment 65536' ]
[ "$(snapshots)" = '0_one_backup_2 0_one_backup_3 1_one_backup_2 1_one_backup_3' ]
for n in 0 1 2 3; do
    restores 0 $n
    restores 1 $n
done
SCRIPT
}

@test "a volume that only has the name of a snapshot is nobody's to remove" {
    there <<'SCRIPT'
DISKS=thin
vm_start 8
lvcreate -qq -W n -Z n -an -y -L 4M -n "$(lv 0)_one_backup_0" $GROUP
lvcreate -qq -W n -Z n -an -y -L 4M -n "$(lv 0)_one_backup_7" $GROUP
if step prebackup_live -1 2>/tmp/why; then fail 'not refused'; fi
grep -q "$(lv 0)_one_backup_0 is no snapshot of $GROUP/$(lv 0)" /tmp/why
step postbackup_live -1
clean
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_7' ]
lvrename -qq $GROUP "$(lv 0)_one_backup_0" foreign
increment backup_live -1
restores 0 0
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_7' ]
SCRIPT
}

@test "what a backup on another host left is looked after when the guest's volume is active here" {
    there <<'SCRIPT'
DISKS=thin
vm_start 8
recover() { vm_xml -1 NONE FULL | /remotes/tm/lvm/recover localhost:$VM_DIR 0 lab - $VM_ID 0 ''; }
step prebackup_live -1 NONE FULL
kill -9 "$(jq .guard $VM_DIR/backup.journal)" "$(jq .exporter $VM_DIR/backup.journal)"
jq '.host_uuid = "6695eb01-f6a4-8304-79aa-97f2502e1999"' $VM_DIR/backup.journal >/tmp/journal
cp /tmp/journal $VM_DIR/backup.journal
lvchange -qq -an "$GROUP/$(lv 0)"
if recover 2>/tmp/why; then fail 'carried out'; fi
grep -q "a backup on another host has left '$GROUP/$(lv 0)_one_backup'" /tmp/why || fail "$(cat /tmp/why)"
[ "$(snapshots)" = 0_one_backup ]
lvchange -qq -K -ay "$GROUP/$(lv 0)"
recover
clean
[ -z "$(snapshots)" ]
SCRIPT
}
