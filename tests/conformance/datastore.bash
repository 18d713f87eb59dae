# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every datastore driver must do, with every backend that it has.
#
#   CONFORMANCE=tests/conformance/datastore/restic_s3.bash bats tests/conformance/datastore.bash
#
# scripts/run-tests runs it once for each file of tests/conformance/datastore/, which holds the
# settings: MAD, and these functions.  One that a driver has no use for says `skip 'why'`.
#
#   store_begin       for the file: servers and the like; what tests need of them is exported
#   store_end
#   store_settings    for each test: variables, and datastore() to print the element DATASTORE
#   store_ready ID    there is a place for the backups of this VM or job already
#   names ID          what is stored there, a name per line
#   at_rest ID        succeeds if nobody holds anything there
#   slow              from now on backups take long
#   wrong_secret      from now on the datastore's secret is wrong, which is called SECRET_ERROR
#   unreachable       from now on its server is, which is called UNREACHABLE_ERROR
#   small             from now on there is room for one MiB; roomy: for much again
#   hold ID           somebody else (process HOLDER) has the place of this VM for himself; release
#
# BASE is a directory for backends that need one, HOST the host of the VM.

load "$BATS_TEST_DIRNAME/../helper.bash"
source "$ROOT/tests/datastore/requests.bash"
# shellcheck source=/dev/null
source "${CONFORMANCE:?names a file with settings}"

LAST_INCREMENT=6

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    store_begin
    test_settings
    use_vm 12
    store_ready 12
    make_chain $LAST_INCREMENT
    printf '%s\n' "${CHAIN[@]}" >"$BATS_FILE_TMPDIR/chain"
}
teardown_file() { store_end; }

# Each test that stores something has a VM of its own.
setup() {
    test_settings
    use_vm $((100 + BATS_TEST_NUMBER))
}

test_settings() {
    export VMVAULT_VAR=$BATS_FILE_TMPDIR/var VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    BASE=$BATS_FILE_TMPDIR/base HOST=localhost EXTRA='' DISKS=0:2
    mkdir -p "$VMVAULT_CORE_DIR/datastores"
    store_settings
    publish_datastore
}

use_vm() {
    VM=$1
    VMDIR=$BATS_FILE_TMPDIR/system/$VM
    FILES=$VMDIR/backup
    mkdir -p "$FILES"
}

# The chain of VM 12: CHAIN, its disks in $BATS_FILE_TMPDIR/expected/12
with_chain() {
    mapfile -t CHAIN <"$BATS_FILE_TMPDIR/chain"
    use_vm 12
}

# write_increment N: the files of this increment, and in expected/VM what the disks are with it.  Disk
# 0 is of sequential layout, as our capture writes it with clusters of both sizes, disk 2 of the
# layout that qemu makes, and what its increments name as their backing file is nothing that anybody
# may open.
write_increment() {
    local n=$1 id file before base=() small=() expected=$BATS_FILE_TMPDIR/expected/$VM
    mkdir -p "$expected"
    rm -f "$FILES"/*
    if [ "$n" -eq 0 ]; then
        sequential "$FILES/disk.0.0" 40 0=a 1=b 2=c 5=d 39=e
    else
        [ $((n % 2)) -eq 0 ] || small=(--small)
        sequential "${small[@]}" "$FILES/disk.0.$n" 40 $((n % 4))="$n" $((n + 10))=x $((n + 9))=zero
    fi
    qemu-img create -q -f qcow2 "$FILES/disk.2.$n" 1M
    qemu-io -f qcow2 -c "write -P $((n + 1)) $((n * 64))k 100k" -c "write -P 99 900k 64k" "$FILES/disk.2.$n" >/dev/null
    [ "$n" -eq 0 ] || qemu-img rebase -u -f qcow2 -F raw -b 'nbd+unix:///?socket=/nonexistent' "$FILES/disk.2.$n"
    write_vm_xml
    for id in 0 2; do
        file=$expected/layer.$id.$n before=$expected/layer.$id.$((n - 1)) base=()
        cp "$FILES/disk.$id.$n" "$file"
        [ "$n" -eq 0 ] || base=(-F qcow2 -b "$before")
        [ "$n" -eq 0 ] || qemu-img rebase -u -f qcow2 "${base[@]}" "$file"
        qemu-img convert -f qcow2 -O raw "$file" "$expected/disk.$id.$n"
    done
}

# make_chain N: backs up a full and N increments of VM; CHAIN is "0:<name> 1:<name>..."
make_chain() {
    local n
    CHAIN=()
    for ((n = 0; n <= $1; n++)); do
        write_increment "$n"
        LAST=$((n - 1)) backup_ok "$HOST"
        CHAIN+=("$n:$ID")
    done
}

# urls [ls's arguments]: of the disks of CHAIN, as JSON
urls() { "$BUILD/datastore/$MAD/ls" "$@" < <(request "$(datastore)" "$(vm)" "$(image "${CHAIN[@]}")"); }

# restores N [DISK...]: the disks as of increment N are what they were
restores() {
    local listed id raw=$BATS_TEST_TMPDIR/raw disks=("${@:2}")
    listed=$(urls -i "$1")
    [ ${#disks[@]} -gt 0 ] || disks=(0 2)
    for id in "${disks[@]}"; do
        "$BUILD/datastore/$MAD/downloader" --stream "$(jq -r ".\"$id\"" <<<"$listed")" >"$raw.qcow2"
        qemu-img check -q -f qcow2 "$raw.qcow2"
        qemu-img convert -f qcow2 -O raw "$raw.qcow2" "$raw"
        cmp "$raw" "$BATS_FILE_TMPDIR/expected/$VM/disk.$id.$1"
    done
}

flatten() {
    action "datastore/$MAD/increment_flatten" 57 \
        < <(request "$(image "${CHAIN[@]}")" "$(datastore)" "<EXTRA_DATA><KEEP_LAST>$1</KEEP_LAST></EXTRA_DATA>")
}

# in_background: a backup of this VM; PID is its process, its words are in out and err
in_background() {
    request "$(datastore)" "$(vm)" >"$BATS_TEST_TMPDIR/request.$VM"
    "$BUILD/datastore/$MAD/backup" "$HOST:$VMDIR" "$DISKS" "one-$VM" "${1:--}" "$VM" 0 \
        <"$BATS_TEST_TMPDIR/request.$VM" >"$BATS_TEST_TMPDIR/out.$VM" 2>"$BATS_TEST_TMPDIR/err.$VM" 3>&- &
    PID=$!
}

# one_to_read: what is stored takes a while to read
one_to_read() {
    write_increment 0
    head -c 1500000 /dev/urandom >"$FILES/disk.0.0"
    backup_ok "$HOST"
    CHAIN=("0:$ID")
}

@test "backup: a full and six increments have a name each" {
    with_chain
    [ "$(names 12 | sort)" = "$(printf '%s\n' "${CHAIN[@]#*:}" | sort)" ]
}

@test "backup: prints name, size in MiB and format" {
    store_ready $VM
    write_increment 0
    run -0 --separate-stderr backup "$HOST"
    [[ $output =~ ^[0-9a-f]{6,8}\ 2\ raw$ ]]
    [ "$(names $VM)" = "${output%% *}" ]
}

@test "ls: the URL of every disk, as of any increment" {
    with_chain
    local n
    for n in 0 3 $LAST_INCREMENT; do
        run -0 --separate-stderr urls -i $n
        [ "$(jq -r 'keys | join(" ")' <<<"$output")" = '0 2' ]
        [[ $(jq -r '."0"' <<<"$output") == "$MAD://100//0:${CHAIN[0]#*:}"*"/disk.0.$n" ]]
        [[ $(jq -r '."2"' <<<"$output") == *"${CHAIN[$n]}/"*"/disk.2.$n" ]]
    done
    whole=$output
    run -0 --separate-stderr urls
    [ "$output" = "$whole" ]
}

@test "ls: a name that is gone is named, never left out" {
    with_chain
    CHAIN[3]=3:deadbeef
    run -1 --separate-stderr urls
    one_line deadbeef
}

@test "stat: the size that the VM's disk had" {
    with_chain
    local url
    url=$(urls | jq -r '."2"')
    run -0 --separate-stderr action datastore/$MAD/stat 31 \
        < <(request "<IMAGE><PATH>$url</PATH><SIZE></SIZE></IMAGE>" "$(datastore)")
    [ "$output" = 77 ]
}

@test "restore: every increment, byte for byte" {
    with_chain
    local n
    for ((n = 0; n <= LAST_INCREMENT; n++)); do restores $n 0; done
    for n in 0 1 $LAST_INCREMENT; do restores $n 2; done
}

@test "restore: the documents beside the disks" {
    with_chain
    "$BUILD/datastore/$MAD/downloader" --file vm.xml "$(urls | jq -r '."0"')" | base64 -d | cmp - <(vm)
}

@test "flatten: KEEP_LAST 6 to 1, and what stays restores as before" {
    [ -x "$BUILD/datastore/$MAD/increment_flatten" ] || skip 'this driver cannot flatten yet'
    store_ready $VM
    make_chain $LAST_INCREMENT
    local keep expected
    for ((keep = LAST_INCREMENT; keep >= 1; keep--)); do
        run -0 --separate-stderr flatten $keep
        [[ $output =~ ^[0-9]+\ [0-9a-f:,]+$ ]]
        expected=("${CHAIN[@]:2}")
        IFS=, read -ra CHAIN <<<"${output#* }"
        [ ${#CHAIN[@]} -eq $keep ]
        [ "${CHAIN[0]%%:*}" -eq $((LAST_INCREMENT + 1 - keep)) ]
        [ "${CHAIN[*]:1}" = "${expected[*]}" ]
        [ "$(names $VM | sort)" = "$(printf '%s\n' "${CHAIN[@]#*:}" | sort)" ]
        restores "${CHAIN[0]%%:*}" 0
        [ $((keep % 3)) -ne 0 ] || restores $LAST_INCREMENT
    done
    restores $LAST_INCREMENT
    run -0 --separate-stderr flatten 1
    [[ -z $output || $output == - ]]
    at_rest $VM
}

@test "rm: the names of the image go, others stay, and again is a success" {
    store_ready $VM
    make_chain 1
    local first=("${CHAIN[@]}")
    make_chain 0
    run -0 --separate-stderr image_action rm "$(image "${first[@]}")" 57
    [ -z "$output" ]
    [ "$(names $VM)" = "${CHAIN[0]#*:}" ]
    run -0 --separate-stderr image_action rm "$(image "${first[@]}")" 57
    [ -z "$output" ]
    restores 0
    at_rest $VM
}

@test "monitor: three plain numbers" {
    run -0 --separate-stderr action datastore/$MAD/monitor 100 < <(request "$(datastore)")
    [[ $output =~ ^USED_MB=[0-9]+$'\n'TOTAL_MB=[0-9]+$'\n'FREE_MB=[0-9]+$ ]]
}

@test "cancel: in the middle of an upload; no name, nothing held, and the next one works" {
    store_ready $VM
    write_increment 0
    head -c 8000000 /dev/urandom >"$FILES/disk.0.0"
    slow
    export VMVAULT_PROGRESS=$BATS_TEST_TMPDIR/progress
    in_background
    eventually jq -e '.done > 0' "$VMVAULT_PROGRESS"
    run -0 "$BUILD/datastore/$MAD/backup_cancel" "$HOST:$VMDIR" "one-$VM" <<<"<VM><ID>$VM</ID></VM>"
    [ -z "$output" ]
    status=0; wait $PID || status=$?
    [ $status -eq 143 ]
    [ ! -s "$BATS_TEST_TMPDIR/out.$VM" ]
    at_rest $VM
    [ -z "$(names $VM)" ]
    test_settings
    make_chain 0
    restores 0
}

@test "a backup whose answer nobody takes is none" {
    local name
    write_increment 0
    for name in '' 00112233445566ff; do
        VMVAULT_RUN=$name run -1 --separate-stderr unheard
        one_line 'cannot write the reply'
        [ -z "$(names $VM)" ]
    done
    make_chain 0
    restores 0
}
unheard() { backup "$HOST" >/dev/full; }

@test "cancel: without a backup it is a success" {
    run -0 --separate-stderr "$BUILD/datastore/$MAD/backup_cancel" "$HOST:$VMDIR" "one-$VM" <<<"<VM><ID>$VM</ID></VM>"
    [ -z "$output" ]
}

@test "a wrong secret is named as such, and changes nothing" {
    store_ready $VM
    write_increment 0
    wrong_secret
    run -1 --separate-stderr backup "$HOST"
    one_line "$SECRET_ERROR"
    with_chain
    run -1 --separate-stderr urls
    one_line "$SECRET_ERROR"
    run -1 --separate-stderr image_action rm "$(image "${CHAIN[@]}")" 57
    one_line "$SECRET_ERROR"
    test_settings
    [ "$(names 12 | wc -l)" -eq $((LAST_INCREMENT + 1)) ]
    [ -z "$(names $((100 + BATS_TEST_NUMBER)))" ]
}

@test "a place that is not there is made by a full, and missed by an increment" {
    write_increment 0
    for id in 0 2; do mv "$FILES/disk.$id.0" "$FILES/disk.$id.1"; done
    LAST=0 run -1 --separate-stderr backup "$HOST"
    one_line 'is not there'
    CHAIN=(0:deadbeef)
    run -1 --separate-stderr urls
    one_line ''
    make_chain 0
    [ "$(names $VM)" = "${CHAIN[0]#*:}" ]
}

@test "two first backups of a job at once share one good place" {
    local vm pids=() job=$((200 + BATS_TEST_NUMBER))
    for vm in $VM $((VM + 50)); do
        use_vm $vm
        write_increment 0
        in_background $job
        pids+=("$PID")
    done
    for pid in "${pids[@]}"; do wait $pid || { cat "$BATS_TEST_TMPDIR"/err.*; false; }; done
    [ "$(names job_$job | sort)" = "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR"/out.* | sort)" ]
    IMAGE_TEMPLATE="<BACKUP_JOB_ID>$job</BACKUP_JOB_ID>"
    CHAIN=("0:$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/out.$VM")")
    restores 0
}

@test "a server that cannot be reached is an error, and nothing is made" {
    write_increment 0
    unreachable
    publish_datastore
    run -1 --separate-stderr backup "$HOST"
    one_line "$UNREACHABLE_ERROR"
    with_chain
    local chain url
    chain=$(IFS=,; echo "${CHAIN[*]}")
    url=$MAD://100//$chain$FILES/disk.0.$LAST_INCREMENT
    run -1 --separate-stderr "$BUILD/datastore/$MAD/downloader" --stream "$url"
    one_line "$UNREACHABLE_ERROR"
    test_settings
    [ "$(names 12 | wc -l)" -eq $((LAST_INCREMENT + 1)) ]
}

@test "a store that is full is an error, leaves no name, and works again when it is not" {
    small
    store_ready $VM
    write_increment 0
    head -c 6000000 /dev/urandom >"$FILES/disk.0.0"
    run -1 --separate-stderr backup "$HOST"
    one_line ''
    [ -z "$(names $VM)" ]
    roomy
    make_chain 0
    [ "$(names $VM)" = "${CHAIN[0]#*:}" ]
}

@test "a place that another holds: a backup says for whom it waits, and goes on when it is free" {
    store_ready $VM
    one_to_read
    hold $VM
    in_background
    eventually grep -q "^WARN: .*PID $HOLDER on .*old" "$BATS_TEST_TMPDIR/err.$VM"
    release
    wait $PID
    [ "$(names $VM | wc -l)" -eq 2 ]
}

@test "a place that another holds: the wait of rm has an end, and the error names who it is" {
    store_ready $VM
    one_to_read
    hold $VM
    EXTRA="<${MAD^^}_LOCK_WAIT>0</${MAD^^}_LOCK_WAIT>"
    run -1 --separate-stderr image_action rm "$(image "${CHAIN[@]}")" 57
    release
    one_line "PID $HOLDER on "
    [ "$(names $VM)" = "${CHAIN[0]#*:}" ]
}

@test "what a backup datastore does not do, it says so" {
    local name
    for name in cp clone mkfs snap_delete snap_revert snap_flatten; do
        run -1 --separate-stderr image_action $name '<IMAGE><ID>57</ID></IMAGE>' 57
        [ -z "$output" ]
        [ "$stderr" = "$name: Operation not supported" ]
    done
}
