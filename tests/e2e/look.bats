# SPDX-License-Identifier: Apache-2.0
# Looking into a backup: one disk downloaded, and disks served as raw files.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    mkdir tree
    echo 'as it was' >tree/motto
    truncate -s 40M a.raw
    mke2fs -q -t ext4 -d tree a.raw
    qemu-img convert -f raw -O qcow2 a.raw a.qcow2
    qemu-img create -q -f qcow2 b.qcow2 $((32 * 1048576 + 512))
    paused_start look a.qcow2 b.qcow2
    disk_write look 1 'write -P 4 0 1M'
    next 0
    disk_write look 0 'write -P 5 30M 64k'
    disk_write look 1 'write -P 7 33554432 512'
    next 1
    image=$(image_of look)
    export image
}
next() {
    reference "ref$1" a.qcow2 b.qcow2
    "$BUILD/drivers/cli/vmvault" backup look
}

teardown_file() { hypervisor_stop; }

setup() {
    cd "$BATS_FILE_TMPDIR"
    AT=$BATS_TEST_TMPDIR/at
    pid=''
}
teardown() {
    [ -z "$pid" ] || { kill "$pid" 2>/dev/null; wait "$pid"; } || true
}

@test "a disk to a file, and to stdout" {
    run -0 --separate-stderr vmvault download "$image" --disk 1 --to "$AT"
    [ "${lines[-1]}" = "$AT" ]
    same_disk ref1/b.qcow2 "$AT"
    vmvault download "$image" --disk 0 --increment 0 >"$AT.0"
    same_disk ref0/a.qcow2 "$AT.0"
    run -1 --separate-stderr vmvault download "$image" --disk 1 --to "$AT"
    [ "$stderr" = "vmvault: nothing is overwritten, and there is already '$AT'" ]
    same_disk ref1/b.qcow2 "$AT"
}

@test "a disk by its URL" {
    url=$(vmvault show "$image" --json | jq -r '"restic://100//" + ([.increments[] | "\(.id):\(.source)"] | join(","))')
    url+=/anywhere/$(cd "$VMVAULT_VAR/vms" && ls -d [0-9]*000*)/backup/disk.0.1
    vmvault download "$url" >"$AT"
    same_disk ref1/a.qcow2 "$AT"
    run -2 --separate-stderr vmvault download "$url" --disk 1
    one_line
}

@test "what cannot be downloaded is one line" {
    run -2 --separate-stderr vmvault download "$image"
    [[ $stderr == *'2 disks: choose one with --disk'* ]]
    one_line
    for wrong in nonsense '' -1 1x; do
        run -2 --separate-stderr vmvault download --disk 0 -- "$wrong"
        one_line
    done
    run -1 --separate-stderr vmvault download 99 --disk 0
    one_line
    run -2 --separate-stderr vmvault download "$image" --disk 7
    one_line
    run -2 --separate-stderr script -qec "'$BUILD/drivers/cli/vmvault' download $image --disk 0" /dev/null
    [[ $output == *'nothing for a terminal'* ]]
}

# serve [OPTIONS]: mounts at $AT, and returns when it can be read
serve() {
    [ -w /dev/fuse ] || skip 'no /dev/fuse'
    "$BUILD/drivers/cli/vmvault" mount "$image" "$AT" "$@" >"$AT.out" 2>"$AT.err" 3>&- &
    pid=$!
    eventually is_served || { cat "$AT.err"; return 1; }
}
is_served() {
    ! is_gone "$pid" || { EVENTUALLY=0; return 1; }
    grep -q raw "$AT.out"
}
nothing_left() { ! grep -qF "$AT" /proc/self/mountinfo && [ ! -e "$AT" ]; }

@test "a newer and an older increment, as raw files for other programs, until ^C" {
    serve
    [ "$(cat "$AT.out")" = "$AT/disk.0.raw"$'\n'"$AT/disk.1.raw" ]
    cmp "$AT/disk.0.raw" <(qemu-img convert -f qcow2 -O raw ref1/a.qcow2 raw && cat raw)
    cmp "$AT/disk.1.raw" <(qemu-img convert -f qcow2 -O raw ref1/b.qcow2 raw1 && cat raw1)
    [ "$(debugfs -R 'cat /motto' "$AT/disk.0.raw" 2>/dev/null)" = 'as it was' ]
    run -1 dd if=/dev/zero of="$AT/disk.0.raw" bs=512 count=1 conv=notrunc status=none
    kill "$pid"
    wait "$pid"
    nothing_left
    serve --increment 0 --disk 1
    [ "$(ls "$AT")" = disk.1.raw ]
    cmp "$AT/disk.1.raw" <(qemu-img convert -f qcow2 -O raw ref0/b.qcow2 raw2 && cat raw2)
    kill "$pid"
    wait "$pid"
    nothing_left
}

@test "whatever of it is killed, nothing stays mounted, and the next one works" {
    local victim
    for victim in vmvault downloader qemu-storage-da restic; do
        serve --disk 0
        mapfile -t victims < <(pids_of "$victim")
        [ ${#victims[@]} -eq 1 ]
        kill -KILL "${victims[0]}"
        wait "$pid" || true
        eventually unmounted || { echo "$victim"; grep -F "$AT" /proc/self/mountinfo; return 1; }
        eventually all_gone
    done
    serve --disk 0
    eventually no_dead_mounts   # those of others who end just now go by themselves
}
no_dead_mounts() { [ -z "$(dead_mounts)" ]; }
unmounted() { ! grep -qF "$AT" /proc/self/mountinfo; }
all_gone() { [ -z "$(pids_of downloader; pids_of restic; pids_of qemu-storage-da)" ]; }
dead_mounts() {
    local at
    awk '$5 ~ "^/var/tmp/vmvault." { print $5 }' /proc/self/mountinfo | while read -r at; do
        stat "$at" >/dev/null 2>&1 || echo "$at"
    done
}
pids_of() {
    local file
    grep -lsF -- "VMVAULT_VAR=$VMVAULT_VAR" /proc/[0-9]*/environ | while read -r file; do
        [[ $(cat "${file%/*}/comm" 2>/dev/null) != "$1" ]] || basename "${file%/*}"
    done
}

@test "nothing is served over something" {
    mkdir "$AT"
    echo mine >"$AT/disk.0.raw"
    run -1 --separate-stderr vmvault mount "$image" "$AT" --disk 0
    one_line
    [ "$(cat "$AT/disk.0.raw")" = mine ]
}

# mounted_while COMMAND...: that waits for the end of a mount, says for whom, and is done then
mounted_while() {
    serve --disk 0
    "$BUILD/drivers/cli/vmvault" "$@" >"$AT.said" 2>&1 3>&- &
    local waits=$!
    eventually grep -qE "^vmvault: warning: .*waiting for the repository .*, which is locked by PID [0-9]+ on " "$AT.said" ||
        { cat "$AT.said"; kill "$waits"; return 1; }
    kill "$pid"
    wait "$pid"
    wait "$waits" || { cat "$AT.said"; return 1; }
    [ "$(grep -c 'which is locked by' "$AT.said")" -eq 1 ]
}

# From here on less and less is left.
@test "what is mounted stays; what else needs the repository for itself waits for the end, and says for whom; backups go on" {
    local other verb
    serve --disk 0
    VMVAULT_RESTIC_LOCK_WAIT=1 run -1 --separate-stderr vmvault verify "$image"
    [[ ${stderr_lines[0]} == 'vmvault: warning: '*'which is locked by PID '* ]]
    for verb in "delete $image" "flatten $image --keep 1"; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr vmvault $verb
        [ "$stderr" = "vmvault: image $image is being read (vmvault restore, download or mount): try again when that has ended" ]
    done
    VMVAULT_RESTIC_LOCK_WAIT=0 vmvault backup look
    vmvault backup look --full
    vmvault backup look
    kill "$pid"
    wait "$pid"
    other=$(image_of look)
    [ "$other" -ne "$image" ]
    mounted_while flatten "$other" --keep 1
    mounted_while delete "$other"
    vmvault flatten "$image" --keep 1
    vmvault delete "$image"
    [ "$(vmvault list --json)" = '[]' ]
}
