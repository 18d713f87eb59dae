# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A machine with two restore points, and a service that was killed.

load helper.bash

restores_setup() {
    service_setup
    machines 1
    go
    cp "${BATS_TEST_DIRNAME}/../cli/fake_backup" "$VMVAULT_REMOTES/vmm/kvm/backup"
    cp "${BATS_TEST_DIRNAME}/../cli/fake_datastore" "$VMVAULT_REMOTES/datastore/restic/downloader"
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    vmvault backup vm0
    vmvault backup vm0
    virsh -q --connect "$LIBVIRT_URI" dumpxml vm0 >"$FAKE/domain.xml"
    service_start 'RPO = 0'
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    echo 'EMULATOR_CPUS = "0-1"' | vmvault host update localhost
    service_end KILL
}

# is QUERY ANSWER: of the state
is() { [ "$(sql "$1")" = "$2" ]; }

# put_back COPY: this is the state now
put_back() {
    rm -f "$VMVAULT_VAR"/state.db*
    cp -a "$1"/state.db* "$VMVAULT_VAR/"
}

# waits VERB...: `vmvault VERB... --wait`, as $command
waits() {
    "$BUILD/drivers/cli/vmvault" --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" "$@" --wait \
        >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
    command=$!
}
said() { grep -q -- "$1" "$BATS_TEST_TMPDIR/said"; }
answers() { vmvault --endpoint "unix:$VMVAULT_VAR/vmvaultd.socket" datastore list --csv --no-header -l ID >/dev/null 2>&1; }
