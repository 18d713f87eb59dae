# SPDX-License-Identifier: Apache-2.0
# INCREMENT_MODE=SNAPSHOT: whoever dies while a running guest gets a new layer, no write is lost, and
# the next increment has everything.

load helper.bash

setup_file() {
    export INCREMENT_MODE=SNAPSHOT
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    mkdir -p "$VM_DIR/disk.0.snap"
    guest_overlay "$VM_DIR/disk.0.snap/0"
    ln -s disk.0.snap/0 "$VM_DIR/disk.0"
    lab_define
    guest_start lab
    guest_works console
    take 0
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }
teardown() { shim_end; }

lab_define() {
    "$FIXTURES/domain" --guest "$GUEST" --rate 50 lab console "$VM_DIR/disk.0" |
        sed "s#<source file='[^']*/disk.0.snap/[0-9]*'/>#<source file='$VM_DIR/disk.0'/>#" |
        virsh -q define /dev/stdin
}

# take K: the K-th backup of the chain, kept as kept.K
take() {
    step prebackup_live $(($1 - 1)) AGENT
    cp "$VM_DIR/backup/disk.0.$1" "kept.$1"
    cp "$VM_DIR/backup/vmvault.json" .
    step postbackup_live $(($1 - 1))
}

# stands_at POINT [FREEZE] [PARENT]: what makes increment 1 (or what follows the parent) stands still
# at this point
stands_at() {
    vm_xml "${3-0}" "${2-AGENT}" >request
    shim_run "backup_host begin:$1" sh -c 'exec "$@" <request' sh \
        "$BUILD/tm/qcow2/prebackup_live" "localhost:$VM_DIR" 0 lab - $VM_ID 0
    acknowledged=$(guest_acknowledged console)
}
# dies: who stands there is killed, and what it belonged to fails
dies() {
    kill -KILL "$shim_pid"
    if wait "$shim_command"; then return 1; fi
}

active() { realpath "$(virsh -q domblklist lab | awk '$1 == "vda" { print $2 }')"; }
link_is_right() { [ "$(active)" = "$(realpath "$VM_DIR/disk.0")" ]; }
settled() { guest_is lab running && [ ! -e "$VM_DIR/backup.journal" ]; }
frozen() { [ "$(guest_fs lab)" = frozen ]; }

# all_is_well: the guest works on, on the layer that its link names, and increment 1 has all of it
all_is_well() {
    eventually settled
    works_on
}
works_on() {
    link_is_right
    run ! frozen
    guest_works console
    acknowledged=$(guest_acknowledged console)
    take 1
    [ "$(jq -r '.disks[].kind' vmvault.json)" = increment ]
    holds_all
    clean
}

# holds_all: full and increment 1 together have every record that was acknowledged
holds_all() {
    local newest
    cp kept.1 top
    qemu-img rebase -u -f qcow2 -F qcow2 -b "$PWD/kept.0" top
    newest=$(guest_newest top)
    [ "$newest" -ge "$acknowledged" ]
}

@test "killed when the guest is frozen, before its processors stand still" {
    stands_at virDomainSuspend:before
    dies
    all_is_well
}

@test "killed when the guest runs on a new layer that its link does not name yet" {
    stands_at 'rename(/disk.0):before'
    dies
    all_is_well
}

@test "killed before the processors go on" {
    stands_at virDomainResume:before
    dies
    all_is_well
}

@test "everybody is killed there, and then the power fails: the VM starts on all that it wrote" {
    stands_at 'rename(/disk.0):before' NONE
    kill -KILL "$(journal guard)"
    dies
    guest_is lab paused
    run ! link_is_right
    virsh -q destroy lab
    virsh -q undefine lab
    [ "$(guest_newest "$(realpath "$VM_DIR/disk.0")")" -ge "$acknowledged" ]
    lab_define
    guest_start lab
    works_on
}

# The layers that increment 1 needed are merged when the core shows that it has it.
@test "killed in the middle of a merge: the layers are whole, and the next backup merges them" {
    take 1
    disk_write lab 0 'write -P 9 900M 64M'   # something to merge for the next one
    take 2
    stands_at virDomainBlockCommit:after AGENT 2
    dies
    eventually settled
    link_is_right
    run ! frozen
    guest_works console
    acknowledged=$(guest_acknowledged console)
    take 3
    [ "$(jq -r '.disks[].kind' vmvault.json)" = increment ]
    local k below=kept.0
    for k in 1 2 3; do
        cp "kept.$k" "top.$k"
        qemu-img rebase -u -f qcow2 -F qcow2 -b "$PWD/$below" "top.$k"
        below=top.$k
    done
    [ "$(guest_newest top.3)" -ge "$acknowledged" ]
    clean
}
