# SPDX-License-Identifier: Apache-2.0
# The service with everything real: libvirt, qemu, the drivers, restic.

load helper.bash
load ../fixtures/keepers.bash

setup_file() { hypervisor_start; }
teardown_file() { hypervisor_stop; }
setup() {
    cd "$BATS_TEST_TMPDIR"
    EVENTUALLY=300   # three real backups
    mkdir mads
    ln -s "$BUILD/drivers/vmm/one_vmm_exec" "$BUILD/drivers/datastore/one_datastore" mads/
}
teardown() {
    [ -z "${service-}" ] || service_end TERM
    keepers_stop
    for name in one two off; do guest_remove "$name" || true; done
}

service_start() {
    printf '%s\n' 'PORT = 0' "MADS_LOCATION = \"$PWD/mads\"" 'MONITORING_INTERVAL_HOST = 1' "$@" >conf
    "$BUILD/drivers/vmvaultd/vmvaultd" --config conf </dev/null >>log 2>&1 3>&- &
    service=$!
}
service_end() {
    kill "-$1" "$service"
    wait "$service" 2>/dev/null || true
    service=
}
have_images() { [ "$(vmvault list --json 2>/dev/null | jq length)" -eq "$1" ]; }
snapshots() { find "$VMVAULT_VAR"/repo/*/snapshots -type f | wc -l; }

@test "every domain is backed up once, one at a time, over the death of the service; then merged" {
    for name in one two off; do
        qemu-img create -q -f qcow2 $name.qcow2 64M
        qemu-io -c "write -P ${#name} 0 8M" $name.qcow2 >/dev/null
    done
    for name in one two; do paused_start $name $name.qcow2; done
    guest_define --no-agent off off.console off.qcow2
    service_start 'MAX_BACKUPS = 1' 'RETRY_INTERVAL = 1'
    eventually eval '[ "$(find "$VMVAULT_VAR/mad/kvm" -name keeper 2>/dev/null | wc -l)" -ge 1 ]'
    service_end KILL
    service_start 'MAX_BACKUPS = 1' 'RETRY_INTERVAL = 1'
    eventually have_images 3
    service_end TERM
    [ "$(snapshots)" -eq 3 ]
    for name in one two off; do
        vmvault restore "$(image_of $name)" --to to-$name
        reference ref $name.qcow2
        same_disk ref/$name.qcow2 to-$name/disk.0.qcow2
        untouched $name
    done

    disk_write one 0 'write -P 77 1M 1M'
    vmvault backup one
    [ "$(vmvault show "$(image_of one)" --json | jq '.increments | length')" -eq 2 ]
    service_start 'KEEP_LAST = 1'
    eventually eval '[ "$(vmvault show "$(image_of one)" --json | jq ".increments | length")" -eq 1 ]'
    service_end TERM
    vmvault restore "$(image_of one)" --to merged
    reference again one.qcow2
    same_disk again/one.qcow2 merged/disk.0.qcow2
}

# KillMode=process of vmvaultd.service: only the service itself is told to end.
@test "a restart of the service during a backup: it is adopted, and ends well" {
    restic_waits
    export VMVAULT_VAR=$PWD/var
    qemu-img create -q -f qcow2 one.qcow2 64M
    qemu-io -c 'write -P 5 0 8M' one.qcow2 >/dev/null
    paused_start one one.qcow2
    service_start
    eventually test -e "$BATS_TEST_TMPDIR/storing"
    service_end TERM
    before=$(wc -l <log)
    service_start
    eventually eval 'tail -n "+$((before + 1))" log | grep -q "begun before is looked after again"'
    touch "$BATS_TEST_TMPDIR/go"
    eventually have_images 1
    eventually eval 'tail -n "+$((before + 1))" log | grep -q "is backed up: image 1, increment 0"'
    service_end TERM
    [ "$(grep -c 'a backup into datastore 100 begins' log)" -eq 1 ]
    [ "$(snapshots)" -eq 1 ]
    vmvault restore 1 --to restored
    reference ref one.qcow2
    same_disk ref/one.qcow2 restored/disk.0.qcow2
    untouched one
}
