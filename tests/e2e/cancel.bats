# SPDX-License-Identifier: Apache-2.0
# vmvault backup is told to stop in the middle of an upload.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    vmvault init 2>/dev/null
    "$FIXTURES/restic_repository" "$VMVAULT_VAR/repo/1000000" "$(cat "$VMVAULT_VAR/restic.password")"
    "$FIXTURES/restic_repository" "$VMVAULT_VAR/repo/1000001" "$(cat "$VMVAULT_VAR/restic.password")"
    head -c 60M /dev/urandom >random
    for name in one two; do
        qemu-img create -q -f qcow2 $name.qcow2 100M
        paused_start $name $name.qcow2
    done
    disk_write one 0 "write -s $PWD/random 0 60M"
    disk_write two 0 "write -s $PWD/random 0 12M"
    limit 3000
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }

# limit KIBIBYTES: a second, for what is uploaded from now on
limit() {
    sed -i "s|<RESTIC_BWLIMIT>.*</RESTIC_BWLIMIT>||; s|</TEMPLATE>|<RESTIC_BWLIMIT>$1</RESTIC_BWLIMIT></TEMPLATE>|" \
        "$VMVAULT_VAR/datastores/100.xml"
}

# start NAME [OPTIONS]: a backup in the background, as $pid, that has begun to upload
start() {
    local progress
    progress=$VMVAULT_VAR/vms/$(virsh domuuid "$1")/backup.progress
    "$BUILD/drivers/cli/vmvault" backup "$@" >"$1.out" 2>"$1.err" 3>&- &
    pid=$!
    eventually uploads "$progress"
}
uploads() { [ "$(jq -r .step "$1" 2>/dev/null)" = upload ]; }

# stopped SIGNAL...: $pid gets them, ends soon, and says so
stopped() {
    local begun=${EPOCHREALTIME/./} status=0 signal
    for signal; do kill "-$signal" "$pid"; done
    wait "$pid" || status=$?
    echo "# vmvault, $*: $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
    [ "$status" -eq 143 ]
    [ "$(tail -n 1 one.err)" = 'vmvault: cancelled' ]
}

@test "one of two backups is stopped: the other goes on" {
    start two
    other=$pid
    start one
    stopped INT INT
    wait "$other"
    untouched one
    image_of two
    run ! image_of one
}

@test "after any signal the next backup works at once" {
    for signal in TERM HUP; do
        start one
        stopped $signal
        untouched one
    done
    limit 0
    vmvault backup one
    limit 3000
    vmvault restore "$(image_of one)" --to "$BATS_TEST_TMPDIR/to"
    reference ref one.qcow2
    same_disk ref/one.qcow2 "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
}

# go_on STATE KIND: a full backup is stopped; the next one goes on with the chain that there was, as KIND
go_on() {
    local last
    limit 3000
    start one --full
    stopped TERM
    untouched one
    if [ "$1" = running ]; then disk_write one 0 'write -P 5 1M 64k'; else qemu-io -c 'write -P 6 2M 64k' one.qcow2 >/dev/null; fi
    limit 0
    run -0 --separate-stderr vmvault backup one
    last=$(image_of one)
    run -0 vmvault show "$last" --json
    [ "$(jq -r '[.increments[-1].disks[].kind] | unique | join(" ")' <<<"$output")" = "$2" ] ||
        { echo "$stderr"; false; }
    vmvault restore "$last" --to "$BATS_TEST_TMPDIR/$1"
    reference ref one.qcow2
    same_disk ref/one.qcow2 "$BATS_TEST_TMPDIR/$1/disk.0.qcow2"
}

# bitmaps NUMBERS: those of machine one
bitmaps() {
    [ "$(qemu-img info -U --output json one.qcow2 |
        jq -r '[."format-specific".data.bitmaps[].name | split("-")[2]] | sort | join(" ")')" = "$1" ]
}

@test "a full backup that is stopped: a chain of one full goes on with a whole increment, which is right" {
    limit 0
    vmvault backup one --full
    disk_write one 0 'write -P 3 70M 64k'
    go_on running whole
}

@test "a full backup that is stopped: the chain that there was goes on with what has changed" {
    limit 0
    vmvault backup one
    vmvault backup one
    go_on running increment
    virsh -q destroy one
    go_on off increment
    # One that ends well begins a new chain, and the marks of the other go with its first increment.
    vmvault backup one --full
    vmvault backup one
    bitmaps '0 1'
    virsh -q start one --paused
}
