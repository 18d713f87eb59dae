# SPDX-License-Identifier: Apache-2.0
# A guest with its system in a file and its data in Ceph: one backup, of one point in time.

load helper.bash

setup_file() {
    hypervisor_start
    ceph_start
    guest_copy "$VM_DIR/disk.0.qcow2"
    mv "$VM_DIR/disk.0.qcow2" "$VM_DIR/disk.0"
    qemu-img convert -f qcow2 -O raw "$GUEST/second.qcow2" "rbd:$VOLATILE:conf=$CEPH_CONF"
    guest_define --rate 50 lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0" rbd:$VOLATILE
    guest_start lab
    guest_works "$BATS_FILE_TMPDIR/console"
}

teardown_file() {
    hypervisor_stop
    ceph_stop
}

setup() {
    CHAIN=$BATS_FILE_TMPDIR/chain
    DISKS='qcow2 volatile:one'
}

teardown() { step postbackup_live 9; }

# taken PARENT FREEZE: a backup that is uploaded
taken() {
    step prebackup_live "$1" "$2"
    keep $(($1 + 1))
    step postbackup_live "$1" "$2"
    clean
    [ -z "$(virsh -q checkpoint-list lab --name | grep -vE "one-$VM_ID-($1|$(($1 + 1)))")" ]
}

# whole LAST: the guest judges its two disks as they were
whole() {
    restore 0 0 "$1" "$BATS_TEST_TMPDIR/root.raw"
    restore 1 0 "$1" "$BATS_TEST_TMPDIR/second.raw"
    guest_inspect "$BATS_TEST_TMPDIR/root.raw" "$BATS_TEST_TMPDIR/second.raw"
}

@test "both disks are of one point in time: frozen by the agent, or paused for that" {
    taken -1 AGENT
    [ "$(result .freeze.consistent)" = true ]
    [ "$(result '[.disks[].format] | join(" ")')" = 'qcow2 rbd' ]
    guest_works "$BATS_FILE_TMPDIR/console"
    taken 0 NONE
    [ "$(result '.freeze.consistent')" = false ]
    [ "$(result '[.disks[].kind] | join(" ")')" = 'increment increment' ]
    [ "$(result '.freeze.seconds > 0')" = true ]
    [ "$(snapshots $VOLATILE)" = 'one_backup_0 one_backup_1' ]
    guest_works "$BATS_FILE_TMPDIR/console"
    whole 0
    whole 1
}

@test "MULTI_STORE_SUSPEND=NO: the guest is not paused, and the result says what that means" {
    VMVAULT_MULTI_STORE_SUSPEND=NO step prebackup_live -1
    [[ $(result .freeze.why) == *'not of one point in time'* ]]
    [ "$(result '.freeze.seconds == 0')" = true ]
}

@test "with a bridge it is captured where its file is, as a copy for the bridge to read" {
    BRIDGE=bridge1 run -0 --separate-stderr step prebackup_live -1 AGENT
    [[ $stderr == *'another host, bridge1, has to read them'* ]]
    run -1 findmnt "$VM_DIR/backup"
    qemu-img check -q "$VM_DIR/backup/disk.1.0"
    BRIDGE=bridge1 step postbackup_live -1
    clean
}

@test "what cannot be said of both disks is refused" {
    INCREMENT_MODE=SNAPSHOT run -1 step prebackup_live -1
    [[ $output == *'INCREMENT_MODE=SNAPSHOT cannot be used'* ]]
    clean
}

@test "the disk in Ceph fails: the job of the other one ends, and the guest runs on" {
    local before
    before=$(snapshots $VOLATILE)
    CEPH_USER=stranger run -1 step prebackup_live -1 AGENT
    guest_works "$BATS_FILE_TMPDIR/console"
    clean
    [[ $(virsh -q domjobinfo lab) == *None* ]]
    [ "$(snapshots $VOLATILE)" = "$before" ]
}
