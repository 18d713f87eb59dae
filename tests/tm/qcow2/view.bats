# SPDX-License-Identifier: Apache-2.0
# The backup dir as a view: nothing is copied, and whoever dies, nothing of it stays.

load helper.bash

setup_file() {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    export VMVAULT_EXPORT=view SMALL=$BATS_FILE_TMPDIR/small
    # Before libvirtd: its mount namespace keeps what it began with.
    mkdir "$SMALL"
    [ "$(id -u)" -ne 0 ] || mount -t tmpfs -o size=64m none "$SMALL"
    hypervisor_start
    mkdir -p "$VM_DIR"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.0" $((1024 * 1048576 + 512))
    qemu-io -c 'write -P 3 0 100M' -c 'write -P 4 300M 50M' -c 'write -P 5 1G 512' \
        "$VM_DIR/disk.0" >/dev/null
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 64M
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0" "$VM_DIR/disk.1"
    virsh -q start lab --paused
}

teardown_file() {
    hypervisor_stop
    umount -l "$SMALL" 2>/dev/null || true
}

teardown() {
    DISKS='0 1' step postbackup_live -1
    rm -f "$SMALL/fill"
}

exporter() { journal exporter; }
guard() { journal guard; }
running() { [[ $(ps -o stat= -p "$1") == [!Z]* ]]; }
ended() { [ ! -e "$VM_DIR/backup.journal" ] && is_gone "$1" && is_gone "$2"; }
no_mount() { ! grep -qF " $VM_DIR/backup " /proc/self/mountinfo; }
begin() { DISKS="0 1" step prebackup_live -1; }
# begin_in_small: its scratch files are where nobody else takes or gives space; until it is filled up
begin_in_small() {
    mountpoint -q "$SMALL" || skip 'only root can mount a small file system'
    VMVAULT_SCRATCH_PATH=$SMALL VMVAULT_SCRATCH_FLOOR_MB=16 VMVAULT_SCRATCH_FLOOR_PERCENT=0 begin
}
fill_small() { fallocate -l 56M "$SMALL/fill"; }

# kill_both PID PID: neither sees the end of the other
kill_both() { kill -STOP "$@" && kill -KILL "$@"; }

# lives_apart PID: in a mount namespace of its own
lives_apart() { [ "$(readlink "/proc/$1/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]; }

# over: nobody of the backup is left, and nothing
over() {
    eventually ended "$1" "$2"
    no_mount
    clean
    guest_is lab paused
}

@test "a view holds what a copy would hold, and takes no space" {
    begin
    grep -qF " $VM_DIR/backup " /proc/self/mountinfo
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
    qemu-img compare -U -q "$VM_DIR/backup/disk.1.0" "$VM_DIR/disk.1"
    [ "$(du -s --block-size=1 "$VM_DIR/backup/disk.0.0" | cut -f1)" -eq "$(stat -c %s "$VM_DIR/backup/disk.0.0")" ]
    local seen mode
    seen=$(sha256sum <"$VM_DIR/backup/disk.0.0")
    mode=$(ls "$VM_DIR/backup")
    cp "$VM_DIR/backup/vmvault.json" "$BATS_TEST_TMPDIR"
    DISKS='0 1' step postbackup_live -1
    clean
    no_mount
    VMVAULT_EXPORT=copy DISKS='0 1' step prebackup_live -1
    [ "$(sha256sum <"$VM_DIR/backup/disk.0.0")" = "$seen" ]
    [ "$(ls "$VM_DIR/backup")" = "$mode" ]
    diff <(jq .disks "$BATS_TEST_TMPDIR/vmvault.json") <(jq .disks "$VM_DIR/backup/vmvault.json")
}

@test "any byte of a view can be read first, and by many at a time" {
    begin
    cat "$VM_DIR/backup/disk.0.0" >"$BATS_TEST_TMPDIR/all"
    python3 - "$VM_DIR/backup/disk.0.0" "$BATS_TEST_TMPDIR/all" <<'PY'
import os, random, sys, threading
view, copy = (os.open(path, os.O_RDONLY) for path in sys.argv[1:])
size = os.fstat(view).st_size
assert size == os.fstat(copy).st_size
wrong = []
def read(seed):
    pick = random.Random(seed)
    for _ in range(60):
        at, length = pick.randrange(size), pick.choice((1, 511, 65536, 1 << 20, 3 << 20))
        if os.pread(view, length, at) != os.pread(copy, length, at): wrong.append((at, length))
threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
for one in threads: one.start()
for one in threads: one.join()
assert not wrong, wrong
assert os.pread(view, 10, size) == b''
PY
}

@test "nobody can write into a view" {
    begin
    run ! touch "$VM_DIR/backup/new"
    run ! rm -f "$VM_DIR/backup/disk.0.0"
    run ! dd if=/dev/zero of="$VM_DIR/backup/disk.0.0" conv=notrunc count=1
    [ -e "$VM_DIR/backup/disk.0.0" ]
}

@test "the exporter is killed: its guard ends the backup" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    kill -KILL "$exporter"
    over "$exporter" "$guard"
}

@test "the guard is killed: the exporter ends the backup" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    kill -KILL "$guard"
    over "$exporter" "$guard"
}

@test "both are killed: the next backup cleans up, and works" {
    begin
    kill_both "$(guard)" "$(exporter)"
    begin
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    DISKS='0 1' step postbackup_live -1
    over "$exporter" "$guard"
}

@test "recover --all leaves a living backup alone, and cleans up after a dead one" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    "$BUILD/tm/host/backup_host" recover --all
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
    kill_both "$guard" "$exporter"
    eventually is_gone "$exporter"
    "$BUILD/tm/host/backup_host" recover --all
    over "$exporter" "$guard"
    run -0 "$BUILD/tm/host/backup_host" recover --all
    [ -z "$output" ]
    run -0 ls "$VMVAULT_VAR/host"
    [ -z "$output" ]
}

@test "after a reboot of the host, recover --all removes what was left, and touches no guest" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    kill_both "$guard" "$exporter"
    eventually is_gone "$exporter"
    sed -i "s/\"boot_id\": \".*\"/\"boot_id\": \"before\"/" "$VM_DIR/backup.journal"
    virsh -q domjobabort lab
    "$BUILD/tm/host/backup_host" recover --all
    over "$exporter" "$guard"
}

@test "postbackup ends a view that somebody still reads, and that another mount namespace holds" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    exec 7<"$VM_DIR/backup/disk.0.0"
    unshare -m --propagation private sleep 600 3>&- 7<&- &
    local other=$!
    eventually lives_apart "$other"
    DISKS='0 1' step postbackup_live -1
    over "$exporter" "$guard"
    kill "$other"
    run ! cat <&7
    exec 7<&-
}

@test "a second begin is refused while somebody uploads a view" {
    begin
    # What a living datastore/*/backup leaves for others to see.
    mkdir -p "$VMVAULT_VAR/running"
    echo "$$ $(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20) $(cat /proc/sys/kernel/random/boot_id)" \
        >"$VMVAULT_VAR/running/$VM_ID.backup"
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == *'VM 77 is in use'* ]]
    rm "$VMVAULT_VAR/running/$VM_ID.backup"
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
}

@test "a view whose uploader is gone does not stand in the way of the next backup" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    begin
    is_gone "$exporter" && is_gone "$guard"
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
}

@test "libvirtd is restarted while a view is read: the backup does not mind" {
    begin
    "$FIXTURES/libvirtd" restart "$BATS_FILE_TMPDIR/virt"
    cat "$VM_DIR/backup/disk.0.0" >"$BATS_TEST_TMPDIR/all"
    qemu-img compare -U -q "$BATS_TEST_TMPDIR/all" "$VM_DIR/disk.0"
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    DISKS='0 1' step postbackup_live -1
    over "$exporter" "$guard"
}

@test "a view that nobody reads ends when its lease does" {
    VMVAULT_VIEW_LEASE=3 begin
    eventually nobody_is_left   # whoever they were: by now they may have ended
    no_mount
    clean
    guest_is lab paused
}
nobody_is_left() {
    local file
    [ ! -e "$VM_DIR/backup.journal" ] || return 1
    for file in $(grep -lsF -- "VMVAULT_VAR=$VMVAULT_VAR" /proc/[0-9]*/environ); do
        [[ $(cat "${file%/*}/comm" 2>/dev/null) != backup_host ]] || return 1
    done
}

@test "scratch space runs out: the job ends at once, and a reader gets an error, not an end" {
    begin_in_small
    fill_small
    eventually has_no_job
    run -1 --separate-stderr cat "$VM_DIR/backup/disk.0.0"
    [[ $stderr == *'Input/output error'* ]]
    grep -q 'less than the floor' "$VM_DIR/backup.log"
}

@test "qemu does not answer: a reader gets an error after the deadline, on every disk" {
    VMVAULT_READ_DEADLINE=8 begin
    local exporter guard qemu
    exporter=$(exporter) guard=$(guard) qemu=$(cat "$BATS_FILE_TMPDIR"/virt/run/qemu/lab.pid)
    kill -STOP "$qemu"
    run -1 --separate-stderr cat "$VM_DIR/backup/disk.0.0"
    kill -CONT "$qemu"
    [[ $stderr == *'Input/output error'* ]]
    run ! cat "$VM_DIR/backup/disk.1.0"
    eventually has_no_job
    grep -q 'no answer within 8 s' "$VM_DIR/backup.log"
    DISKS='0 1' step postbackup_live -1
    over "$exporter" "$guard"
}

@test "READ_BWLIMIT holds for a view and for a copy" {
    VMVAULT_READ_BWLIMIT=25M begin
    local before=${EPOCHREALTIME/./}
    head -c 50M "$VM_DIR/backup/disk.0.0" >/dev/null
    ((${EPOCHREALTIME/./} - before > 1500000))
    DISKS='0 1' step postbackup_live -1
    before=${EPOCHREALTIME/./}
    VMVAULT_EXPORT=copy VMVAULT_READ_BWLIMIT=75M begin
    ((${EPOCHREALTIME/./} - before > 1700000))
}

@test "a limit that is no rate is refused before anything is done" {
    VMVAULT_MAX_RIOPS=many run -2 --separate-stderr begin
    [[ $stderr == *"MAX_RIOPS"* ]]
    clean
}

@test "scratch space runs out while the exporter stands still: the backup ends without it" {
    begin_in_small
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    cat "$VM_DIR/backup/disk.0.0" >"$BATS_TEST_TMPDIR/all" 2>/dev/null 3>&- &
    eventually test -s "$BATS_TEST_TMPDIR/all"
    kill -STOP "$exporter"  # perhaps with answers of qemu that it has not taken
    fill_small
    over "$exporter" "$guard"
}

@test "a view that somebody takes down ends its backup: nothing is left, and the VM is free" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    umount "$VM_DIR/backup"
    eventually ended "$exporter" "$guard"
    no_mount
    [[ $(virsh -q domjobinfo lab) == *None* ]]
    [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/tmp" ] && [ ! -e "$VM_DIR/backup.journal" ]
    DISKS='0 1' step postbackup_live -1
    clean
}

@test "qemu dies: a reader gets an error, and postbackup leaves nothing" {
    begin
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    kill -KILL "$(cat "$BATS_FILE_TMPDIR"/virt/run/qemu/lab.pid)"
    eventually guest_is lab 'shut off'
    run -1 --separate-stderr cat "$VM_DIR/backup/disk.0.0"
    [[ $stderr == *'Input/output error'* ]]
    DISKS='0 1' step postbackup_live -1
    eventually ended "$exporter" "$guard"
    no_mount
    [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/tmp" ]
    virsh -q start lab --paused
}

@test "a powered-off VM is viewed as well, and can be started afterwards" {
    virsh -q destroy lab
    DISKS='0 1' step prebackup -1
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
    run ! virsh -q start lab --paused
    local exporter guard
    exporter=$(exporter) guard=$(guard)
    kill_both "$exporter" "$guard"
    eventually virsh -q start lab --paused
    step postbackup -1
    clean
    no_mount
}

@test "where another host must read the files, they are copied, and it is said why" {
    local with_bridge
    with_bridge=$(vm_xml -1 | sed 's|</BACKUP_CONFIG>|<LAST_BRIDGE>bridge1</LAST_BRIDGE>&|')
    run -0 --separate-stderr "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 0 lab - 77 0 <<<"$with_bridge"
    [[ $stderr == *'another host, bridge1'* ]]
    no_mount
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
}
