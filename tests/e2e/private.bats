# SPDX-License-Identifier: Apache-2.0
# What other users of the machine can read of backups: nothing.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 40M
    qemu-io -c 'write -P 1 0 3M' a.qcow2 >/dev/null
    paused_start seen a.qcow2
}
teardown_file() { hypervisor_stop; }

setup() { umask 022; }

# private PLACE...: no file of these is for others, and no socket takes what others say
private() {
    run -0 find "$@" '(' -type f -perm /077 ')' -o '(' -type s -perm /002 ')'
    [ -z "$output" ] || { ls -l $output >&2; return 1; }
}

@test "neither disks, nor documents, nor the state, while it is backed up, afterwards, and restored" {
    restic_waits
    "$BUILD/drivers/cli/vmvault" backup seen >/dev/null 3>&- & command=$!
    eventually [ -e "$BATS_TEST_TMPDIR/storing" ]
    find "$VMVAULT_VAR" -type s | grep -q .   # the job is open
    private "$VMVAULT_VAR"
    touch "$BATS_TEST_TMPDIR/go"
    wait "$command"
    VMVAULT_EXPORT=copy vmvault backup seen
    vmvault restore 1 --to "$BATS_TEST_TMPDIR/to"
    private "$VMVAULT_VAR" "$BATS_TEST_TMPDIR/to"
}
