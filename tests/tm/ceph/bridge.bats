# SPDX-License-Identifier: Apache-2.0
# A VM that is off, with all its disks in Ceph, is read on a bridge; and what is said when that cannot be.

load bridge.bash

setup_file() {
    hypervisor_start
    ceph_start
    bridges_start
    rbd create --size 24M $VOLATILE
    rbd create --size 24M one/one-9
    image_write $VOLATILE 'write -P 1 0 3M'
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" rbd:one/one-9 rbd:$VOLATILE
}

setup() { bridge_setup; }

teardown() {
    bridge_programs_end
    virsh -q destroy lab >/dev/null 2>&1 || true
    bridge_teardown postbackup
}

# fails WORDS STEP...: with one line and these words in it
fails() {
    run -1 --separate-stderr step "${@:2}"
    grep -v '^[A-Z]*: ' <<<"$stderr" >"$BATS_TEST_TMPDIR/said" || true
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 1 ]
    grep -qE "$1" "$BATS_TEST_TMPDIR/said" || { echo "$stderr"; return 1; }
}

# taken_at N: increment N, and what the disks are
taken_at() {
    image_now one/one-9 "$BATS_TEST_TMPDIR/ref.0.$1"
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref.1.$1"
    taken backup $(($1 - 1))
}

@test "a chain goes on by one bridge, by another and by none, and restores to the bytes" {
    local n
    run ! on bridge1 virsh list
    taken_at 0
    [ "$(result_of '.freeze.consistent and (.live | not)')" = true ]
    [ "$(snapshots $VOLATILE)" = one_backup_0 ]
    is_protected one/one-9 one_backup_0
    image_write $VOLATILE 'write -P 2 1M 64k'
    HOST=kvm1 BRIDGE=bridge2 taken_at 1
    [ "$(result_of '[.disks[].kind] | unique[]')" = increment ]
    image_write $VOLATILE 'write -P 3 2M 64k' 'discard 0 64k'
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref.1.2"
    BRIDGE='' step prebackup 1
    cp "$VM_DIR"/backup/disk.* "$CHAIN"
    BRIDGE='' step postbackup 1
    nothing_left
    image_write one/one-9 'write -P 4 5M 64k'
    VMVAULT_EXPORT=copy taken_at 3
    [ "$(snapshots $VOLATILE)" = 'one_backup_2 one_backup_3' ]
    for n in 0 1 2 3; do restores 1 0 $n "$BATS_TEST_TMPDIR/ref.1.$n"; done
    restores 0 0 3 "$BATS_TEST_TMPDIR/ref.0.3"
    on bridge1 test -d "$VMVAULT_VAR"
}

@test "a full backup, of a VM that libvirt does not know, has its NVRAM with it" {
    export DEPLOY_ID=''
    head -c 100000 /dev/urandom >"$VM_DIR/one-77_VARS.fd"
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref"
    step prebackup -1 NONE FULL
    on_bridge cat "$VM_DIR/backup/nvram.fd" | cmp - "$VM_DIR/one-77_VARS.fd"
    [ "$(on_bridge findmnt -n -o FSTYPE "$VM_DIR/backup")" = fuse.vmvault ]
    [ "$(snapshots $VOLATILE)" = one_backup ]
    mkdir "$CHAIN"
    on_bridge cp "$VM_DIR/backup/disk.1.0" "$CHAIN"
    step postbackup -1 NONE FULL
    eventually is_nothing_left
    [ -z "$(snapshots $VOLATILE)" ]
    restores 1 0 0 "$BATS_TEST_TMPDIR/ref"
    rm "$VM_DIR/one-77_VARS.fd"
}

@test "what one bridge still serves ends before another one, or the VM's host, begins" {
    step prebackup -1 NONE FULL
    on bridge1 test -e "$VM_DIR/backup/disk.0.0"
    BRIDGE=bridge2 step prebackup -1 NONE FULL
    serves_nothing bridge1
    on bridge2 cat "$VM_DIR/backup/disk.0.0" >/dev/null
    BRIDGE='' step prebackup -1 NONE FULL
    serves_nothing bridge2
    cat "$VM_DIR/backup/disk.0.0" >/dev/null
    VMVAULT_EXPORT=copy step prebackup -1
    [ ! -e "$VM_DIR/backup" ]
    [ "$(snapshots $VOLATILE)" = one_backup_0 ]
    # A copy has nobody who could end it.
    BRIDGE=bridge2 step prebackup -1
    serves_nothing bridge1
    BRIDGE=bridge2 step postbackup -1
    nothing_left
}

@test "a bridge that is not there any more does not stop the next backup, and is tidied up when it is" {
    step prebackup -1
    mv "$BATS_FILE_TMPDIR/ssh-bridge1/known_hosts" "$BATS_TEST_TMPDIR/"
    BRIDGE=bridge2 run -0 --separate-stderr step prebackup -1
    [[ $stderr == *'what an earlier backup left on bridge1 stays'* ]]
    BRIDGE=bridge2 step postbackup -1
    mv "$BATS_TEST_TMPDIR/known_hosts" "$BATS_FILE_TMPDIR/ssh-bridge1/"
    run -1 is_empty bridge1
    run -0 grep -c . "$VMVAULT_VAR/hosts/$VM_ID"
    [ "$output" = 1 ]
    BRIDGE=bridge2 step prebackup -1
    BRIDGE=bridge2 step postbackup -1
    nothing_left
}

@test "recover puts right what was left on a bridge, and leaves a backup that is uploaded alone" {
    step prebackup -1
    kill -KILL "$(bridge_journal exporter)" "$(bridge_journal guard)"
    BRIDGE='' step recover -1
    nothing_left
    step prebackup -1
    mkdir -p "$VMVAULT_VAR/running"
    # As an upload is registered.
    sleep 600 3>&- &
    echo "$! $(awk '{print $22}' /proc/$!/stat) $(cat /proc/sys/kernel/random/boot_id)" >"$VMVAULT_VAR/running/$VM_ID.backup"
    BRIDGE='' step recover -1
    kill -KILL $!
    on_bridge test -e "$VM_DIR/backup/disk.0.0"
}

@test "a bridge that is the VM's host is none" {
    BRIDGE=localhost step prebackup -1
    [ ! -e "$VM_DIR/bridge" ]
    [ "$(findmnt -n -o FSTYPE "$VM_DIR/backup")" = fuse.vmvault ]
    BRIDGE=localhost step postbackup -1
    HOST=kvm1 BRIDGE=kvm1 step prebackup -1
    [ ! -e "$VM_DIR/bridge" ]
    [ "$(findmnt -n -o FSTYPE "$VM_DIR/backup")" = fuse.vmvault ]
    HOST=kvm1 BRIDGE=kvm1 step postbackup -1
    nothing_left
}

@test "a bridge that is not reached, has no vmvault or no rbd, and one that the cluster does not let in" {
    BRIDGE=unreachable fails 'backup_host on unreachable ended with status 255' prebackup -1
    VMVAULT_REMOTE_DIR=/nowhere fails '/nowhere/tm/host/backup_host' prebackup -1
    CEPH_USER=nobody fails 'of the Ceph image one/one-9: .*connect' prebackup -1
    local rbd
    rbd=$(command -v rbd)
    on_bridge mount --bind /dev/null "$rbd"
    fails "cannot run 'rbd'" prebackup -1
    on_bridge umount "$rbd"
    BRIDGE='-x' run -2 step prebackup -1
    BRIDGE=unreachable step postbackup -1
    BRIDGE=bridge1 step postbackup -1
    nothing_left
    [ -z "$(snapshots $VOLATILE)" ]
    BRIDGE=bridge1 taken_at 0
}

@test "a host that is not reached, or on which another VM has these disks" {
    HOST=unreachable fails 'backup_host on unreachable ended with status 255' prebackup -1
    [ -z "$(snapshots $VOLATILE)" ]
    HOST=unreachable step postbackup -1
    is_empty bridge1
    grep -q '^unreachable host ' "$VMVAULT_VAR/hosts/$VM_ID"   # it may have come that far
    rm "$VMVAULT_VAR/hosts/$VM_ID"
    nothing_left
    virsh -q start lab --paused
    # It runs, whatever was said of it.
    rbd create --size 24M one/one-10
    DISKS='one/one-10 volatile:one' fails "should be the Ceph image one/one-10, but the domain has 'one/one-9'" prebackup -1
    rbd rm --no-progress one/one-10
    step prebackup -1
    [ "$(on_bridge jq .live "$VM_DIR/backup/vmvault.json")" = true ]
    step postbackup -1
    nothing_left
}

@test "a VM that is started while its disks are taken: an error, and nothing stays" {
    held_in_take prebackup -1
    virsh -q start lab --paused
    touch "$BATS_TEST_TMPDIR/go"
    step_failed 'the VM was started while its disks were taken'
    step postbackup -1
    nothing_left
    [ -z "$(snapshots $VOLATILE)" ]
}

@test "the datastore uploads from the bridge, and the answer is that of any backup" {
    # shellcheck source=tests/datastore/rsync/rsync.bash
    source "$ROOT/tests/datastore/rsync/rsync.bash"
    local id
    SERVER=store SERVER_USER=$(id -un) ARGS=-aS EXTRA='' BASE=$BATS_TEST_TMPDIR/store
    image_now $VOLATILE "$BATS_TEST_TMPDIR/ref"
    step prebackup -1
    run --separate-stderr "$BUILD/datastore/rsync/backup" "localhost:$VM_DIR" 0:1 lab - $VM_ID 100 \
        < <(request "$(datastore)" "$(vm_xml -1)")
    [ "$status" -eq 0 ] || { echo "$stderr"; return 1; }
    id=${output%% *}
    step postbackup -1
    nothing_left
    mkdir "$CHAIN"
    cp "$BASE/$VM_ID/$id/disk.1.0" "$CHAIN"
    restores 1 0 0 "$BATS_TEST_TMPDIR/ref"
}
