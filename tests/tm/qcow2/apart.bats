# SPDX-License-Identifier: Apache-2.0
# A capture lives in a group of its own: what ends its caller's unit, session or cgroup does not end
# it, and the datastore's limits hold for it.

load helper.bash

setup_file() { paused_lab 256M 100M; }

teardown_file() { hypervisor_stop; }

setup() {
    export VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    mkdir -p "$VMVAULT_CORE_DIR/datastores"
}

teardown() {
    [ -z "${host_pid-}" ] || kill -KILL "$host_pid" 2>/dev/null || true
    step postbackup_live -1
    [ -z "${cage-}" ] || eventually rmdir "$cage"
}

# caged: the steps run in a cgroup of their own from now on
caged() {
    cage=$(cgroup_make "test-$$-$BATS_TEST_NUMBER") || skip 'cgroups may not be made here'
    [ -e "$cage/cgroup.kill" ] || skip 'this kernel has no cgroup.kill'
    VIA="cgroup_enter $cage"
}

# datastore ATTRIBUTES: a restic one
datastore() {
    DATASTORE=$((100000 + $$))   # others may back up into 100 meanwhile
    (umask 077; echo "<DATASTORE><ID>$DATASTORE</ID><DS_MAD>restic</DS_MAD><TEMPLATE>$1</TEMPLATE></DATASTORE>" \
        >"$VMVAULT_CORE_DIR/datastores/$DATASTORE.xml")
}

warned() { grep -q "^WARN: .*$1" <<<"$stderr" || { echo "$stderr"; return 1; }; }

@test "the cgroup of the caller is killed after begin: the view lives on" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    caged
    step prebackup_live -1
    echo 1 >"$cage/cgroup.kill"
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
    VIA='' step postbackup_live -1
    clean
}

@test "the cgroup of the caller is killed in the middle of a capture: begin undoes" {
    caged
    VMVAULT_EXPORT=copy at_moment begun prebackup_live -1
    echo 1 >"$cage/cgroup.kill"
    step_failed
    kill -CONT "$host_pid"
    eventually is_gone "$host_pid"
    clean
    guest_is lab paused
}

@test "the datastore's limits hold for the exporter, and its group goes with the backup" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    [ ! -d /run/systemd/system ] || skip 'systemd is running'
    local probe
    probe=$(cgroup_make "test-$$") && rmdir "$probe" || skip 'cgroups may not be made here'
    datastore '<RESTIC_NICE>3</RESTIC_NICE><RESTIC_CPU_QUOTA>90</RESTIC_CPU_QUOTA>'
    run -0 --separate-stderr step prebackup_live -1
    local exporter
    exporter=$(journal exporter)
    [ "$(ps -o ni= -p "$exporter")" -eq $(($(nice) + 3)) ]
    grep -q "^0::/vmvault-backup.$DATASTORE\$" "/proc/$exporter/cgroup"
    grep -qsE '^90000( 100000)?$' /sys/fs/cgroup/{,*/}vmvault-backup."$DATASTORE"/cpu.{max,cfs_quota_us}
    step postbackup_live -1
    group_is_gone() {
        step postbackup_live -1
        ! compgen -G "/sys/fs/cgroup/*vmvault-backup.$DATASTORE" &&
            ! compgen -G "/sys/fs/cgroup/*/vmvault-backup.$DATASTORE"
    }
    eventually group_is_gone
}

@test "through systemd: a scope in the slice of the datastore, which has the limits" {
    can_unshare || skip 'no mount namespaces here'
    datastore '<RESTIC_CPU_QUOTA>50</RESTIC_CPU_QUOTA><RESTIC_MAX_RIOPS>200</RESTIC_MAX_RIOPS>'
    VIA=with_systemd VMVAULT_EXPORT=copy run -0 --separate-stderr step prebackup_live -1
    grep -qx "systemctl --quiet --runtime set-property backup.$DATASTORE.slice CPUQuota=50% MemoryMax= IOReadIOPSMax=$VM_DIR 200 IOWriteIOPSMax=" "$CALLS"
    grep -qE "^systemd-run --quiet --scope --collect --slice=backup.$DATASTORE.slice -- $BUILD/tm/host/backup_host begin [0-9]+\$" "$CALLS"
    qemu-img compare -U -q "$VM_DIR/backup/disk.0.0" "$VM_DIR/disk.0"
}

@test "through systemd: begin still undoes when its caller dies" {
    can_unshare || skip 'no mount namespaces here'
    VIA=with_systemd VMVAULT_EXPORT=copy at_moment begun prebackup_live -1
    grep -q 'systemd-run.* begin' "$CALLS"
    kill -KILL "$(ps -o ppid= -p "$host_pid" | xargs)"
    step_failed
    kill -CONT "$host_pid"
    eventually is_gone "$host_pid"
    clean
}

@test "a systemd that does not answer: the backup is taken all the same, and what does not hold is said" {
    can_unshare || skip 'no mount namespaces here'
    datastore '<RESTIC_CPU_QUOTA>50</RESTIC_CPU_QUOTA><RESTIC_NICE>1</RESTIC_NICE>'
    FAKE_SYSTEMD_FAIL=1 VIA=with_systemd VMVAULT_EXPORT=copy run -0 --separate-stderr step prebackup_live -1
    warned 'not enforced here: CPU_QUOTA (.*No medium found'
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
}

@test "a datastore that the core does not know is no reason to have no backup" {
    DATASTORE=101 VMVAULT_EXPORT=copy run -0 --separate-stderr step prebackup_live -1
    warned 'datastore 101.* goes on without its limits'
}

@test "a limit that is no number ends the backup before it begins" {
    datastore '<RESTIC_MAX_WIOPS>many</RESTIC_MAX_WIOPS>'
    run -2 --separate-stderr step prebackup_live -1
    [ "$stderr" = "the RESTIC_MAX_WIOPS of datastore $DATASTORE is not a number" ]
    clean
}
