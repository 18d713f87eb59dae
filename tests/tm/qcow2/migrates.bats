# SPDX-License-Identifier: Apache-2.0
# A guest that is migrated while its backup begins: libvirt would freeze it all the same, and let the
# backup job wait, until the guest is frozen on another host.

load helper.bash

setup_file() {
    export VMVAULT_EXPORT=copy VMVAULT_FREEZE_DEADLINE=600
    hypervisor_start
    "$FIXTURES/libvirtd" start "$BATS_FILE_TMPDIR/there" --owner $$
    THERE=$("$FIXTURES/libvirtd" uri "$BATS_FILE_TMPDIR/there")
    export THERE
    mkdir -p "$VM_DIR"
    guest_overlay "$VM_DIR/disk.0"
}

teardown_file() {
    hypervisor_stop
    "$FIXTURES/libvirtd" stop "$BATS_FILE_TMPDIR/there"
}

setup() {
    migration=''
    virsh -q dominfo lab >/dev/null 2>&1 || define_here
    guest_is lab running || guest_start lab
    [ "$(guest_fs lab)" = thawed ]
}
# One UUID for its whole life, as the journal knows it by that.
define_here() {
    guest_define --rate 20 --uuid 3b0a4f7e-52b5-4a0e-9d1b-1d1f0d9b6f77 lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0"
}

teardown() {
    [ -z "$migration" ] || migration_ends
    [ -z "${host_pid-}" ] || kill -KILL "$host_pid" 2>/dev/null || true
    shim_end
    virsh -q -c "$THERE" destroy lab 2>/dev/null || true
    step postbackup_live -1
}

# migration_begins: one that takes minutes; migration_ends: it is given up
migration_begins() {
    virsh -q migrate --live --unsafe --bandwidth 1 lab "$THERE" "unix://$BATS_TEST_TMPDIR/moves" \
        >"$BATS_TEST_TMPDIR/migration" 2>&1 3>&- &
    migration=$!
    eventually is_migrating
}
is_migrating() { [[ $(virsh -q domjobinfo lab) == *'Outgoing migration'* ]]; }
migration_ends() {
    virsh -q domjobabort lab
    wait "$migration" || true
    migration=''
}

# moves [OPTION...]: it runs there now
moves() {
    virsh -q migrate --live --unsafe "$@" lab "$THERE" "unix://$BATS_TEST_TMPDIR/moves"
    there guest_is lab running
}
there() { LIBVIRT_DEFAULT_URI=$THERE "$@"; }

# not_touched FUNCTION FREEZE: a backup is refused before it calls that
not_touched() {
    local point=$BATS_TEST_TMPDIR/point
    VIA='timeout 60' LD_PRELOAD=$SHIM FAULT_FILE=$point FAULT_POINT="backup_host begin:$1:before" \
        ASAN_OPTIONS=verify_asan_link_order=0 run --separate-stderr step prebackup_live -1 "$2"
    [ ! -e "$point" ] || { host_pid=$(<"$point"); echo "it came to $1"; return 1; }
    [ "$status" -eq 1 ]
    grep -qx 'VM 77 is being migrated: that must end first' <<<"$stderr"
    [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/tmp" ] && [ ! -e "$VM_DIR/backup.journal" ]
}

@test "while it is being migrated no backup begins, and it is neither frozen nor paused" {
    local mode
    migration_begins
    for mode in '' SNAPSHOT; do
        INCREMENT_MODE=$mode not_touched virDomainFSFreeze AGENT
        INCREMENT_MODE=$mode not_touched virDomainSuspend SUSPEND
        VMVAULT_FS_FREEZE_FALLBACK=YES INCREMENT_MODE=$mode not_touched virDomainFSFreeze AGENT
    done
    not_touched virDomainBackupBegin NONE
    INCREMENT_MODE=SNAPSHOT not_touched virDomainSuspend NONE
    is_migrating
    migration_ends
    guest_works "$BATS_FILE_TMPDIR/console"
    step prebackup_live -1 AGENT
    [ "$(jq .freeze.consistent "$VM_DIR/backup/vmvault.json")" = true ]
}

@test "a migration that begins when the guest is frozen: it is thawed, and no job waits" {
    at_moment frozen prebackup_live -1 AGENT
    migration_begins
    kill -CONT "$host_pid"
    step_failed
    is_migrating
    grep -q '^VM 77 is being migrated: that must end first$' "$BATS_TEST_TMPDIR/err"
    [ "$(guest_fs lab)" = thawed ]
    [ ! -e "$VM_DIR/backup.journal" ]
    migration_ends
    clean
}
