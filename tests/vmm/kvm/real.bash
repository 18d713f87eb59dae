# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Backups of a real guest into a real repository by vmm/kvm/backup, to be disturbed.

# shellcheck source=tests/helper.bash
source "${BASH_SOURCE[0]%/vmm/kvm/*}/helper.bash"
# shellcheck source=tests/faults/shim.bash
source "$ROOT/tests/faults/shim.bash"

VM_ID=77
VM_DIR=${BATS_FILE_TMPDIR:-}/vm
BASE=${BATS_FILE_TMPDIR:-}/base
PASSWORD=s3same
CONSOLE=${BATS_FILE_TMPDIR:-}/console

# real_start: for setup_file: the guest "lab" with a second disk for data, a repository, an sshd, and a
# first full backup
real_start() {
    local line
    hypervisor_start
    line=$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" AcceptEnv 'LD_PRELOAD FAULT_* ASAN_OPTIONS' --owner $$)
    eval "$line"
    echo '    SendEnv LD_PRELOAD FAULT_* ASAN_OPTIONS' >>"$BATS_FILE_TMPDIR/sshd/ssh_config"
    export VMVAULT_REMOTE_DIR=$BUILD VMVAULT_CORE_DIR=$BATS_FILE_TMPDIR/core
    export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    mkdir -p "$VM_DIR" "$BASE" "$VMVAULT_CORE_DIR/datastores"
    "$FIXTURES/restic_repository" "$BASE/$VM_ID" $PASSWORD
    guest_overlay "$VM_DIR/disk.0"
    qemu-img create -q -f qcow2 "$VM_DIR/disk.1" 1G
    guest_define --rate 50 lab "$CONSOLE" "$VM_DIR/disk.0" "$VM_DIR/disk.1"
    guest_start lab
    echo -1 >"$BATS_FILE_TMPDIR/last"
    whole_backup
}

real_stop() {
    [ ! -d "$BATS_FILE_TMPDIR/sshd" ] || "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"
    hypervisor_stop
}

last() { cat "$BATS_FILE_TMPDIR/last"; }

# message VERB WORDS...: SLOW is the repository's limit in KiB/s, STORE is LOCAL or SFTP
message() {
    local verb=$1 backend='<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
    shift
    [ "${STORE-LOCAL}" = LOCAL ] ||
        backend="<RESTIC_SFTP_SERVER>bk1</RESTIC_SFTP_SERVER><RESTIC_SFTP_USER>$(id -un)</RESTIC_SFTP_USER>"
    cat <<XML
<VMM_DRIVER_ACTION_DATA><TM_COMMAND><![CDATA[$verb qcow2 $*
]]></TM_COMMAND><VM><ID>$VM_ID</ID><DEPLOY_ID>lab</DEPLOY_ID><LCM_STATE>69</LCM_STATE><TEMPLATE>
<DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET><TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><SIZE>1024</SIZE></DISK>
<DISK><DISK_ID>1</DISK_ID><TARGET>vdb</TARGET><TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><SIZE>1024</SIZE></DISK>
</TEMPLATE><BACKUPS><BACKUP_CONFIG><MODE>${MODE-INCREMENT}</MODE><LAST_INCREMENT_ID>${LAST-$(last)}</LAST_INCREMENT_ID>
<FS_FREEZE>${FREEZE-AGENT}</FS_FREEZE></BACKUP_CONFIG></BACKUPS></VM>
<DATASTORE><ID>100</ID><DS_MAD>restic</DS_MAD><BASE_PATH>$BASE</BASE_PATH><TEMPLATE>
<RESTIC_PASSWORD>$PASSWORD</RESTIC_PASSWORD>$backend${SLOW:+<RESTIC_BWLIMIT>$SLOW</RESTIC_BWLIMIT>}
</TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>
XML
}

place() { echo "${HOST-localhost}:$VM_DIR"; }

# start_backup: in the background, as $backup; what it says is in $BATS_TEST_TMPDIR/{out,err}
start_backup() {
    _write_request
    _orchestrator 3>&- &
    backup=$!
}
_write_request() { message BACKUP "$(place) 0:1 lab - $VM_ID 0" | base64 -w 0 >"$BATS_TEST_TMPDIR/request"; }
_orchestrator() {
    exec "$BUILD/vmm/kvm/backup" $VM_ID <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
}
# start_until POINT: the same, until somebody stands still there ($shim_pid); for what does not last
start_until() {
    _write_request
    shim_run "$1" _orchestrator
    # shellcheck disable=SC2154 # shim_run sets it
    backup=$shim_command
}
FROZEN='backup_host begin:virDomainFSFreeze:after'

# whole_backup: undisturbed; it is the next increment of the chain
whole_backup() {
    message BACKUP "$(place) 0:1 lab - $VM_ID 0" |
        action vmm/kvm/backup $VM_ID >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" ||
        { cat "$BATS_TEST_TMPDIR/err" >&2; return 1; }
    echo $(($(last) + 1)) >"$BATS_FILE_TMPDIR/last"
}

cancel_backup() { message BACKUPCANCEL "$(place) lab" | action vmm/kvm/backup_cancel $VM_ID; }

restic_here() { RESTIC_PASSWORD=$PASSWORD restic --no-cache -q -r "$BASE/$VM_ID" "$@"; }
snapshots() { restic_here snapshots --json --no-lock | jq -r '.[].short_id' | sort; }
locks() { lock_files "$BASE/$VM_ID"; }

journal() { jq -re ".$1" "$VM_DIR/backup.journal" 2>/dev/null; }
meets() { [ "$(journal "$1")" = true ]; }
phase() { [ "$(jq -r .phase "$VMVAULT_VAR/vmm/$VM_ID.json" 2>/dev/null)" = "$1" ]; }
has_view() { grep -qF " $VM_DIR/backup " /proc/self/mountinfo; }
is_copying() { [ -n "$(find "$VM_DIR/backup" -name 'disk.1.*' -size +10M 2>/dev/null)" ]; }

# ours [COMM]: pids of this file's own processes, which have its VMVAULT_VAR in their environment
ours() {
    local file
    # shellcheck disable=SC2053 # the name is a pattern
    grep -lsF -- "VMVAULT_VAR=$VMVAULT_VAR" /proc/[0-9]*/environ | while read -r file; do
        [[ $(cat "${file%/*}/comm" 2>/dev/null) != ${1-backup_host} ]] || basename "${file%/*}"
    done || true
}
# shellcheck disable=SC2046
restic_does() { [ -n "$(with_word "$1" $(ours restic))" ]; }
is_uploading() { [ "$(find "$BASE/$VM_ID/data" -type f | wc -l)" -gt "$packs" ] && restic_does backup; }
packs_now() { packs=$(find "$BASE/$VM_ID/data" -type f | wc -l); }

# with_word WORD PID...: those that have it among their arguments
with_word() {
    local pid
    for pid in "${@:2}"; do ! tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qx -- "$1" || echo "$pid"; done
}

# soon COMMAND...: as eventually, but without a pause, and only as long as the backup lives
soon() {
    local until=$((SECONDS + 120))
    while ((SECONDS < until)); do "$@" && return; is_alive || break; done
    echo "did not come true: $*; the backup said:" >&2
    cat "$BATS_TEST_TMPDIR/err" >&2
    return 1
}
is_alive() { kill -0 "$backup" 2>/dev/null && ! is_gone "$backup"; }

nothing_runs() { [ -z "$(ours 'backup_host'; ours 'restic'; ours 'run'; ours 'ssh'; ours '*backup*')" ]; }

# as_before: guest, repository and our own directories are as they were before the backup
as_before() {
    local left
    eventually nothing_runs || { ps -ef | grep "$BUILD"; return 1; }
    [[ $(virsh -q domjobinfo lab) == *None* ]] || { echo 'a job is left'; return 1; }
    ! has_view || { echo 'a view is left'; return 1; }
    left=$(find "$VM_DIR" -mindepth 1 -not -name 'disk.?' -not -name 'backup.l*' -not -name 'backup.result' \
        -not -name backup.marks; find "$VMVAULT_VAR/vmm" "$VMVAULT_VAR/running" -type f -not -name lock)
    [ -z "$left" ] || { echo "left: $left"; return 1; }
    guest_is lab running
    [ "$(guest_fs lab)" = thawed ]
    diff "$BATS_TEST_TMPDIR/snapshots" <(snapshots)
    # There was no time for it, on a slow machine: the next backup does it.
    grep -q 'the next backup of this VM removes' "$BATS_TEST_TMPDIR/err" || nothing_stored
}
nothing_stored() {
    [ -z "$(locks)" ] && [ -z "$(find "$VMVAULT_VAR" -maxdepth 1 -name 'restic-run.*')" ] ||
        { locks; ls "$VMVAULT_VAR"; return 1; }
}

# next_works: undisturbed, it is an increment that holds no more than what has changed
next_works() {
    whole_backup
    nothing_stored
    jq -e 'all(.disks[]; .kind == "increment")' "$VM_DIR/backup.result" >/dev/null
    guest_works "$CONSOLE"
}

now() { echo "${EPOCHREALTIME/./}"; }

# cancelled WHAT: cancels, and measures how long the backup takes to end, which may be a success
# only if OUTCOME says so
cancelled() {
    local begun status=0
    begun=$(now)
    cancel_backup 2>"$BATS_TEST_TMPDIR/cancel.err" || { cat "$BATS_TEST_TMPDIR/cancel.err"; return 1; }
    wait "$backup" || status=$?
    local took=$((($(now) - begun) / 1000))
    printf '# %s: %d.%03d s\n' "$1" $((took / 1000)) $((took % 1000)) | tee -a "${CANCEL_TIMES:-/dev/null}" >&3
    [ "$status" -eq 143 ] || { echo "status $status"; cat "$BATS_TEST_TMPDIR"/{out,err}; return 1; }
    [ "$took" -lt "${BOUND:-60000}" ]
    [ "$(grep -cvE '^(ERROR|WARN|INFO|DEBUG):' "$BATS_TEST_TMPDIR/err")" -eq 1 ]
}
