# SPDX-License-Identifier: Apache-2.0
# Where the settings of a capture come from, and which places are refused for scratch files.

load helper.bash

setup_file() {
    export VMVAULT_EXPORT=copy
    hypervisor_start
    local vm
    for vm in vm other; do
        mkdir -p "$BATS_FILE_TMPDIR/$vm"
        qemu-img create -q -f qcow2 "$BATS_FILE_TMPDIR/$vm/disk.0" 16M
    done
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0"
    guest_define --no-agent other "$BATS_FILE_TMPDIR/console2" "$BATS_FILE_TMPDIR/other/disk.0"
    virsh -q start lab --paused
    virsh -q start other --paused
}

teardown_file() { hypervisor_stop; }

setup() {
    export VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core VMVAULT_HOST_CONF=$BATS_TEST_TMPDIR/host.conf
    mkdir -p "$VMVAULT_CORE_DIR/datastores"
    DATASTORE=100
    datastore ''
}

teardown() { step postbackup_live -1; }

datastore() {
    (umask 077; echo "<DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><TEMPLATE>$1</TEMPLATE></DATASTORE>" \
        >"$VMVAULT_CORE_DIR/datastores/100.xml")
}

# limit_root DEVICE: 2000 KiB for user 0
limit_root() {
    python3 - "$1" <<'PY'
import ctypes, struct, sys
Q_SETQUOTA, USRQUOTA, QIF_BLIMITS = 0x800008, 0, 1
quota = struct.pack('8QI4x', 2000, 1000, 0, 0, 0, 0, 0, 0, QIF_BLIMITS)
libc = ctypes.CDLL(None, use_errno=True)
if libc.quotactl(Q_SETQUOTA << 8 | USRQUOTA, sys.argv[1].encode(), 0, quota) != 0:
    sys.exit(f'quotactl: {ctypes.get_errno()}')
PY
}

# scratch_is NAME: a capture would put its scratch files into the directory NAME, which is not there
scratch_is() {
    run -1 --separate-stderr step prebackup_live -1
    [[ $stderr == "'$BATS_TEST_TMPDIR/$1' cannot take what the guest overwrites"*'it does not exist; set SCRATCH_PATH to'* ]] ||
        { echo "$stderr"; return 1; }
    clean
}

@test "the datastore comes before the host, and that before the front-end" {
    export VMVAULT_SCRATCH_PATH=$BATS_TEST_TMPDIR/front-end
    scratch_is front-end
    echo "SCRATCH_PATH=$BATS_TEST_TMPDIR/host" >"$VMVAULT_HOST_CONF"
    scratch_is host
    datastore "<VMVAULT_SCRATCH_PATH>$BATS_TEST_TMPDIR/datastore</VMVAULT_SCRATCH_PATH>"
    scratch_is datastore
    mkdir "$BATS_TEST_TMPDIR/datastore"
    step prebackup_live -1
    qemu-img check -q "$VM_DIR/backup/disk.0.0"
    [ -z "$(ls "$BATS_TEST_TMPDIR/datastore")" ]
}

@test "a path that is none is refused, and it is said whose" {
    datastore "<VMVAULT_SCRATCH_PATH>../../etc</VMVAULT_SCRATCH_PATH>"
    run -2 --separate-stderr step prebackup_live -1
    [[ $stderr == *'SCRATCH_PATH'* ]]
    clean
}

@test "a FUSE file system is no place for scratch files" {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    VMVAULT_EXPORT=view DEPLOY_ID=other VM_DIR=$BATS_FILE_TMPDIR/other VM_ID=78 step prebackup_live -1
    VMVAULT_SCRATCH_PATH=$BATS_FILE_TMPDIR/other/backup run -1 --separate-stderr step prebackup_live -1
    VM_DIR=$BATS_FILE_TMPDIR/other VM_ID=78 step postbackup_live -1
    [[ $stderr == *"it is on FUSE, whose errors would reach the guest; set SCRATCH_PATH to"* ]]
    clean
}

@test "a quota on qemu's user is no place for scratch files" {
    can_unshare || skip 'no mount namespaces here'
    local image=$BATS_TEST_TMPDIR/image dir=$BATS_TEST_TMPDIR/limited
    mkdir "$dir"
    truncate -s 16M "$image"
    mkfs.ext4 -q -O quota -E quotatype=usrquota "$image"
    mount -o loop "$image" "$dir" 2>/dev/null || skip 'this kernel has no quotas for ext4'
    limit_root "$(findmnt -n -o SOURCE "$dir")"
    VMVAULT_SCRATCH_PATH=$dir VMVAULT_SCRATCH_FLOOR_MB=0 run -1 --separate-stderr step prebackup_live -1
    eventually umount "$dir"
    [[ $stderr == *"a quota limits user 0 there, and the guest would get the error; set SCRATCH_PATH to"* ]]
    clean
}
