# SPDX-License-Identifier: Apache-2.0
# A guest that works while it is backed up: whatever the freeze, every record acknowledged before
# the backup is in it, both disks are of one moment, and the guest goes on.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    guest_overlay a.qcow2 root
    guest_overlay b.qcow2 second
    guest_define --rate 200 live console a.qcow2 b.qcow2
    guest_start live
    guest_works console
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }

# backs_up FREEZE CONSISTENT: a backup of the working guest restores to a disk that proves all this
backs_up() {
    local acknowledged image
    guest_works console
    acknowledged=$(guest_acknowledged console)
    vmvault backup live --fs-freeze "$1"
    guest_is live running
    guest_works console
    guest_exec live /bin/sync
    [ "$(guest_fs live)" = thawed ]
    image=$(image_of live)
    [ "$(last "$image" .freeze)" = "${1^^}" ]
    last "$image" ".consistent == $2"
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    newest=$(guest_newest "$BATS_TEST_TMPDIR"/to/disk.{0,1}.qcow2)
    [ "$newest" -ge "$acknowledged" ]
    untouched live
}

@test "frozen by its agent" { backs_up agent true; }

@test "suspended for the moment of the backup" { backs_up suspend true; }

@test "not stopped at all" { backs_up none false; }

@test "a guest that was paused before stays paused" {
    virsh -q suspend live
    vmvault backup live --fs-freeze suspend
    guest_is live paused
    virsh -q resume live
    guest_works console
}

@test "bitmaps outlive a power-off: the next increments hold only what changed" {
    vmvault backup live
    image=$(image_of live)
    guest_shutdown live
    reference off a.qcow2 b.qcow2
    vmvault backup live
    last "$image" 'all(.disks[]; .kind == "increment") and (.live | not)'
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/off"
    same_disk off/a.qcow2 "$BATS_TEST_TMPDIR/off/disk.0.qcow2"
    same_disk off/b.qcow2 "$BATS_TEST_TMPDIR/off/disk.1.qcow2"

    guest_start live
    guest_works console
    acknowledged=$(guest_acknowledged console)
    vmvault backup live --fs-freeze agent
    last "$image" 'all(.disks[]; .kind == "increment") and .live'
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/on"
    [ "$(guest_newest "$BATS_TEST_TMPDIR"/on/disk.{0,1}.qcow2)" -ge "$acknowledged" ]
}

@test "an agent that does not answer: a backup all the same, unless the freeze was asked for" {
    guest_begins live 'sleep 2; kill -STOP $(pidof qemu-ga); echo agent stopped >/dev/console'
    eventually grep -qa 'agent stopped' console
    run -1 --separate-stderr vmvault backup live --fs-freeze agent
    [[ $stderr == *'guest agent'* ]]
    run -0 --separate-stderr vmvault backup live
    [[ $output == *'crash-consistent: '*agent* ]]
    guest_works console
    untouched live
}
