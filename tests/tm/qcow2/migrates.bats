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

@test "it is migrated while it is frozen: it is said where it stands still, and that its next backup is of that" {
    local options uuid
    uuid=$(virsh -q domuuid lab)
    for options in '' '--persistent --undefinesource'; do
        virsh -q dominfo lab >/dev/null 2>&1 || define_here
        guest_is lab running || guest_start lab
        at_moment frozen prebackup_live -1 AGENT
        # shellcheck disable=SC2086 # words
        moves $options
        kill -CONT "$host_pid"
        step_failed
        grep -q "^ERROR: .*was frozen for its backup.*migrated meanwhile.*'virsh domfsthaw $uuid'" "$BATS_TEST_TMPDIR/err"
        [ ! -e "$VM_DIR/backup.journal" ]
        [ "$(there guest_fs lab)" = frozen ]
        there run -0 --separate-stderr step prebackup_live -1 AGENT
        [[ $stderr == *'frozen already, not by this backup'* ]]
        there step postbackup_live -1
        virsh -q -c "$THERE" domfsthaw "$uuid"
        guest_works "$BATS_FILE_TMPDIR/console"
        virsh -q -c "$THERE" destroy lab
    done
    virsh -q -c "$THERE" undefine lab --checkpoints-metadata
}

@test "it is migrated while it is frozen by a backup that died: the next backup there thaws it" {
    at_moment frozen prebackup_live -1 AGENT
    kill -STOP "$(journal guard)"
    kill -KILL "$(journal guard)" "$host_pid"
    step_failed
    moves
    [ "$(there guest_fs lab)" = frozen ]
    # On another machine libvirt's socket would have the same name.
    sed -i "s|/virt/sock/|/there/sock/|" "$VM_DIR/backup.journal"
    there run -0 --separate-stderr step prebackup_live -1 AGENT
    [[ $stderr == *'is frozen since it was migrated during a backup'* ]]
    [[ $stderr != *'frozen already'* ]]
    [ "$(there guest_fs lab)" = thawed ]
    [ "$(jq .freeze.consistent "$VM_DIR/backup/vmvault.json")" = true ]
    there step postbackup_live -1
    guest_works "$BATS_FILE_TMPDIR/console"
}

waits_for_answer() { grep -q poll "/proc/$1/wchan"; }

@test "killed while its backup job waits for the end of a migration: the job is ended when it begins" {
    shim_run 'backup_host begin:virDomainBackupBegin:before' _step_that_says prebackup_live -1
    local step_pid=$shim_command
    migration_begins
    shim_go_on
    eventually waits_for_answer "$shim_pid"
    kill -KILL "$shim_pid"
    step_failed
    eventually grep -q 'its backup job may wait for that' "$VM_DIR/backup.log"
    [ -e "$VM_DIR/backup.journal" ]
    migration_ends
    eventually clean
    guest_works "$BATS_FILE_TMPDIR/console"
}
