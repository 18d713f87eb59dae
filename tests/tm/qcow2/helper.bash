# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# prebackup and postbackup of one VM, called as the orchestrator calls them.
load ../../helper.bash
# shellcheck source=tests/faults/shim.bash
source "$ROOT/tests/faults/shim.bash"

VM_ID=77
VM_DIR=${BATS_FILE_TMPDIR:-}/vm

# vm_xml PARENT [FREEZE] [MODE]: the domain "lab", disk 0 is vda, disk 1 (if there is one) is vdb
vm_xml() {
    local disks='' id target
    for id in ${DISKS:-0}; do
        target=vd$(printf "\\x$((61 + id))")
        disks+="<DISK><DISK_ID>$id</DISK_ID><TARGET>$target</TARGET><TYPE>FILE</TYPE>
            <FORMAT>${FORMAT:-qcow2}</FORMAT><SIZE>1024</SIZE><TM_MAD>qcow2</TM_MAD></DISK>"
    done
    cat <<XML
<VM><ID>$VM_ID</ID><DEPLOY_ID>${DEPLOY_ID-lab}</DEPLOY_ID><LCM_STATE>69</LCM_STATE>
<TEMPLATE>$disks</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>${3:-INCREMENT}</MODE>
<INCREMENT_MODE>${INCREMENT_MODE-}</INCREMENT_MODE><LAST_INCREMENT_ID>$1</LAST_INCREMENT_ID><FS_FREEZE>${2:-NONE}</FS_FREEZE>
${DATASTORE:+<LAST_DATASTORE_ID>$DATASTORE</LAST_DATASTORE_ID>}
</BACKUP_CONFIG></BACKUPS></VM>
XML
}

# step NAME PARENT [FREEZE] [MODE]; run by the words of VIA
step() {
    local name=$1 ids=${DISKS:-0}
    shift
    vm_xml "$@" | ${VIA-} "$BUILD/tm/qcow2/$name" "localhost:$VM_DIR" "${ids// /:}" lab - $VM_ID 0
}

# paused_lab SIZE DATA: for setup_file: the domain "lab" on a disk of that size and with so much data
paused_lab() {
    hypervisor_start
    mkdir -p "$VM_DIR"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.0" "$1"
    qemu-io -c "write -P 3 0 $2" "$VM_DIR/disk.0" >/dev/null
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" "$VM_DIR/disk.0"
    virsh -q start lab --paused
}

journal() { jq -r ".$1" "$VM_DIR/backup.journal" 2>/dev/null; }
has_job() { [[ $(virsh -q domjobinfo lab) != *None* ]]; }
has_no_job() { ! has_job; }

# at_moment WHICH STEP...: begins the step in the background, until its backup_host stands still:
# when the guest is frozen or paused, when the job has begun (begun), or when it has just asked for
# some data to copy (copies); sets step_pid and host_pid
at_moment() {
    local point
    case $1 in
        frozen) point=virDomainFSFreeze:after ;;
        paused) point=virDomainSuspend:after ;;
        begun) point=virDomainBackupBegin:after ;;
        copies) point=nbd_aio_pread:after ;;
    esac
    shim_run "backup_host begin:$point" _step_that_says "${@:2}"
    # shellcheck disable=SC2154 # shim_run sets them
    step_pid=$shim_command host_pid=$shim_pid
}
_step_that_says() { step "$@" 2>"$BATS_TEST_TMPDIR/err"; }

# step_failed: waits for the step of at_moment
step_failed() {
    if wait "$step_pid"; then echo 'the step succeeded' >&2; return 1; fi
}

# clean: nothing of a backup is left with the guest or in its directory
clean() {
    has_no_job || { echo 'a job is left'; return 1; }
    [ ! -e "$VM_DIR/backup" ] && [ ! -e "$VM_DIR/tmp" ] && [ ! -e "$VM_DIR/backup.journal" ] ||
        { find "$VM_DIR"; return 1; }
}

checkpoints() { virsh -q checkpoint-list lab --name | xargs; }
