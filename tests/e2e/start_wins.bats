# SPDX-License-Identifier: Apache-2.0
# A machine that is started while its disks are backed up at rest: the start wins, by a hook of
# libvirt.

load helper.bash
source "$ROOT/tests/faults/shim.bash"

setup_file() {
    [ "$(id -u)" -eq 0 ] || skip "a session's libvirt runs no hooks"
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    # libvirt passes no environment on, and looks for hooks when it starts.
    mkdir -p virt/etc/hooks/qemu.d
    cat >virt/etc/hooks/qemu.d/vmvault <<HOOK
#!/bin/sh
export VMVAULT_VAR=$VMVAULT_VAR
echo "\$2 \$3" >>$PWD/hook.calls
exec $BUILD/tm/host/libvirt_hook "\$@"
HOOK
    chmod 755 virt/etc/hooks/qemu.d/vmvault
    "$FIXTURES/libvirtd" restart virt
    qemu-img create -q -f qcow2 a.qcow2 64M
    qemu-io -c 'write -P 1 0 20M' a.qcow2 >/dev/null
    qemu-img create -q -f qcow2 b.qcow2 16M
    guest_define --no-agent web web.console a.qcow2 b.qcow2
    vmvault backup web
}

teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    image=$(image_of web)
    pid=0
    local path=$PATH
    restic_waits
    PATH=$path   # for those who ask for it
}

teardown() {
    touch "$BATS_TEST_TMPDIR/go"
    [ "$pid" -eq 0 ] || eventually is_gone "$pid"
    virsh -q destroy web 2>/dev/null || true
}

# backup_begins: sets pid; what it says is in $BATS_TEST_TMPDIR/err
backup_begins() {
    PATH=$BATS_TEST_TMPDIR/bin:$PATH "$BUILD/drivers/cli/vmvault" backup web \
        2>"$BATS_TEST_TMPDIR/err" 3>&- &
    pid=$!
}
backup_failed() {
    if wait "$pid"; then echo 'the backup succeeded' >&2; return 1; fi
    run -0 grep -v '^vmvault: upload: ' "$BATS_TEST_TMPDIR/err"
    echo "$output"
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == 'vmvault: the backup failed: the VM was started'* ]]
}
snapshots() { restic_of_web snapshots --json | jq length; }
restic_of_web() {
    restic -q --no-cache -r "$VMVAULT_VAR/repo/1000000" --password-file "$VMVAULT_VAR/restic.password" "$@"
}

@test "while it is stored: the backup ends with a clear line, and the next one takes the running machine" {
    local before
    before=$(snapshots)
    qemu-io -c 'write -P 2 5M 3M' a.qcow2 >/dev/null
    backup_begins
    eventually [ -e "$BATS_TEST_TMPDIR/storing" ]
    # Without the hook qemu could not get its lock.
    run ! qemu-io -c 'read 0 512' a.qcow2
    virsh -q start web --paused
    touch "$BATS_TEST_TMPDIR/go"
    backup_failed
    guest_is web paused
    grep -qFx 'prepare begin' hook.calls
    [ "$(snapshots)" -eq "$before" ]
    untouched web

    vmvault backup web
    last "$image" '.live and .disks[0].kind == "increment"'
    reference ref a.qcow2 b.qcow2
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    same_disk ref/a.qcow2 "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
    same_disk ref/b.qcow2 "$BATS_TEST_TMPDIR/to/disk.1.qcow2"
}

@test "while the backup begins: the same, once it has undone" {
    local journal=$VMVAULT_VAR/vms/1000001/backup.journal host
    begins() { "$BUILD/drivers/cli/vmvault" backup one 2>"$BATS_TEST_TMPDIR/err"; }
    touch "$BATS_TEST_TMPDIR/go"
    qemu-img create -q -f qcow2 d.qcow2 1M
    guest_define --no-agent one one.console d.qcow2
    vmvault backup one
    # The second time that it writes its journal it has a scratch file.
    shim_run 'backup_host begin:rename(backup.journal):after:2' begins
    pid=$shim_command host=$shim_pid
    jq -e '.scratch | length > 0' "$journal"
    virsh -q start one --paused 3>&- &
    local start=$!
    # Asked to end by its guard, as soon as it can hear.
    pending() { (($(sed -n 's/^ShdPnd:\t/0x/p' "/proc/$host/status") & 1 << 14)); }
    eventually pending
    kill -CONT "$host"
    wait $start
    backup_failed
    guest_is one paused
    vmvault backup one
    last "$(image_of one)" '.live and .disks[0].kind == "increment"'
    virsh -q destroy one
}

@test "other machines, and other events, do not disturb a backup" {
    qemu-img create -q -f qcow2 c.qcow2 1M
    guest_define --no-agent other other.console c.qcow2
    backup_begins
    eventually [ -e "$BATS_TEST_TMPDIR/storing" ]
    virsh -q start other --paused
    virsh -q destroy other
    local event
    for event in 'started begin' 'stopped end' 'prepare end' 'migrate begin'; do
        # shellcheck disable=SC2086 # words
        run -0 --separate-stderr "$BUILD/tm/host/libvirt_hook" web $event - < <(virsh -q dumpxml web)
        [ -z "$output$stderr" ]
    done
    run -0 --separate-stderr "$BUILD/tm/host/libvirt_hook" web prepare begin - <<<'no domain'
    [ -z "$output$stderr" ]
    touch "$BATS_TEST_TMPDIR/go"
    wait "$pid"
    last "$image" '.live | not'
}
