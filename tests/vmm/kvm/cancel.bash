# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Backups that are cancelled, with real.bash.

setup() {
    export VMVAULT_EXPORT=view
    snapshots >"$BATS_TEST_TMPDIR/snapshots"
    packs_now
    backup='' hanging='' holder=''
}

teardown() {
    local pid
    for pid in $backup $hanging $holder; do kill -KILL "$pid" 2>/dev/null || true; done
    shim_end
}

# cancel_when WHAT CONDITION...: begins a backup, cancels it when the condition comes true
cancel_when() {
    start_backup
    soon "${@:2}"
    cancelled "$VMVAULT_EXPORT ${HOST-here}: $1"
    as_before
}

# cancel_at WHAT POINT: when somebody stands still there
cancel_at() {
    start_until "$2"
    cancelled "$VMVAULT_EXPORT ${HOST-here}: $1"
    as_before
}

# hang PID...: they do nothing any more, until $hanging is killed
hang() {
    [ $# -gt 0 ]
    kill -STOP "$@"   # the tracer is not that quick
    "$FIXTURES/hang" "$@" >"$BATS_TEST_TMPDIR/hang" 3>&- &
    hanging=$!
    eventually grep -q hang "$BATS_TEST_TMPDIR/hang"
}

# hangs WHAT CONDITION|POINT WHO [WORD]: at that moment they hang: the exporter, the maker of the backup,
# or the processes of that name that have the word among their arguments
hangs() {
    local pids
    if [[ $2 == *:* ]]; then start_until "$2"; else start_backup && soon "$2"; fi
    case $3 in
        exporter) pids=$(journal exporter) ;;
        maker) pids=$(journal pid) ;;
        *) pids=$(ours "$3") ;;
    esac
    # shellcheck disable=SC2086
    [ -z "${4-}" ] || pids=$(with_word "$4" $pids)
    # shellcheck disable=SC2086
    hang $pids
    shim_end
    cancelled "$VMVAULT_EXPORT ${HOST-here}: $1"
    kill -KILL "$hanging" 2>/dev/null || true
    wait "$hanging" || true
    as_before
}

has_journal() { [ -e "$VM_DIR/backup.journal" ]; }
restic_runs() { restic_does backup; }

moments() {
    export SLOW=2000
    dirty
    cancel_when 'begin' phase prebackup
    cancel_when 'lock' has_journal
    cancel_at 'freeze' "$FROZEN"
    cancel_when 'job' meets 'job_begun'
    [ $VMVAULT_EXPORT = view ] || cancel_when 'copy' is_copying
    [ $VMVAULT_EXPORT = copy ] || cancel_when 'mount' has_view
    cancel_when 'restic starts' restic_runs
    cancel_when 'upload' is_uploading
    unset SLOW
    next_works
}

# dirty: the next increment is large, and takes long to upload
dirty() {
    local device=/machine/peripheral/virtio-disk1/virtio-backend
    head -c 40M /dev/urandom >"$BATS_FILE_TMPDIR/random"
    virsh -q qemu-monitor-command lab --hmp "qemu-io -d $device \"write -P 9 100M 400M\""
    virsh -q qemu-monitor-command lab --hmp "qemu-io -d $device \"write -s $BATS_FILE_TMPDIR/random 0 40M\""
} >/dev/null
