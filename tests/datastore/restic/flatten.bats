# SPDX-License-Identifier: Apache-2.0
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load flatten.bash

setup_file() { chain_setup 5; }

setup() { chain_copy; }

# Disk 0 changes here and there, and shrinks to zeros; disk 2 is whole in increment 3.
increment() {
    local zero two
    case $1 in
        0) zero='0=a 1=b 2=c 5=d 39=e' two='0=k 7=l' ;;
        1) zero='1=B 2=zero' two='7=L' ;;
        2) zero='3=C 5=D 2=x' two='8=m' ;;
        3) zero='39=zero 4=y' two='0=n 1=zero 7=zero 8=zero 9=o' ;;
        4) zero='0=zero 6=z' two='11=p' ;;
    esac
    # shellcheck disable=SC2086
    sequential "$FILES/disk.0.$1" 40 $zero
    [ "$1" -ne 0 ] || noise "$FILES/disk.0.0"
    # shellcheck disable=SC2086
    sequential "$FILES/disk.2.$1" 12 $two
    echo "<domain>$1</domain>" >"$FILES/domain.xml"
    echo "nvram $1" >"$FILES/nvram.fd"
    echo "tpm $1" >"$FILES/disk.tpm.0"
    jq -n --argjson n "$1" '{version: 1, vm: 12, increment: $n, parent: ($n - 1), live: true,
        freeze: {asked: "AGENT", consistent: true}, documents: [], disks: [
        {id: 0, target: "vda", file: "disk.0.\($n)", kind: "increment", why: "", virtual_size: 2621440, file_size: 1},
        {id: 2, target: "vdb", file: "disk.2.\($n)", kind: "whole", why: "so", virtual_size: 786432, file_size: 1}]}' \
        >"$FILES/vmvault.json"
}

@test "the oldest become one, the others stay, and each restores to what it was" {
    flatten_ok 2
    [ "${CHAIN#*,}" = "4:${S[4]}" ]
    [ "${CHAIN%%:*}" = 3 ]
    [ "${output%% *}" = 2 ]   # 1.2 MiB
    [ "$(snapshots)" = "$FLAT
${S[4]}" ]
    restores "$CHAIN"
    restic_here check --read-data
    nothing_left
}

@test "KEEP_LAST=1: one is left, and it holds everything" {
    flatten_ok 1
    [ "$CHAIN" = "4:$FLAT" ]
    [ "$(snapshots)" = "$FLAT" ]
    restores "$CHAIN"
}

@test "a flattened chain goes on, and is flattened again" {
    flatten_ok 3
    [ "$CHAIN" = "2:$FLAT,3:${S[3]},4:${S[4]}" ]
    first=$FLAT
    FILES=$STORED VMDIR=${STORED%/backup}
    mkdir -p "$FILES"
    sequential "$FILES/disk.0.5" 40 0=q; sequential "$FILES/disk.2.5" 12 0=zero 2=r
    write_vm_xml
    LAST=4 DISKS=0:2 backup_ok
    # shellcheck disable=SC2086
    flatten_ok 2 "$(image ${CHAIN//,/ } "5:$ID")"
    [ "$CHAIN" = "4:$FLAT,5:$ID" ]
    [ "$FLAT" != "$first" ]
    [ "$(snapshots)" = "$FLAT
$ID" ]
    restores "4:$FLAT"
    rm -r "$VMDIR"
}

@test "the snapshot has the paths, the tag and the time of the newest, and its documents" {
    flatten_ok 2
    [ "$(stored_in "$FLAT" '.paths | join(" ")')" = "$STORED/disk.0.3 $STORED/disk.2.3 $STORED/disk.tpm.0 $STORED/domain.xml $STORED/nvram.fd $STORED/vm.xml $STORED/vmvault.json" ]
    [ "$(stored_in "$FLAT" .tags[0])" = one-12 ]
    local url=restic://100//$CHAIN$STORED/disk.0.3
    url=${url/,*backup/$STORED}
    for name in 'domain.xml=<domain>3</domain>' 'nvram.fd=nvram 3' 'disk.tpm.0=tpm 3'; do
        [ "$("$BUILD/datastore/restic/downloader" --file "${name%%=*}" "$url")" = "${name#*=}" ]
    done
    "$BUILD/datastore/restic/downloader" --file vmvault.json "$url" >"$BATS_TEST_TMPDIR/result"
    run -0 jq -e '.parent == -1 and .increment == 3 and .freeze.consistent and
        (.disks | all(.kind == "full" and .why == "")) and .disks[0].file == "disk.0.3"' "$BATS_TEST_TMPDIR/result"
    [ "$(jq '.disks[0].file_size' "$BATS_TEST_TMPDIR/result")" -eq \
        "$(restic_here dump "$FLAT" "$STORED/disk.0.3" | wc -c)" ]
}

# time_of SNAPSHOT: in seconds
time_of() { date -d "$(stored_in "$1" .time)" +%s; }

@test "its time is that of the newest, in any zone, but before what stays" {
    newest=$(time_of "${S[2]}") next=$(time_of "${S[3]}")
    [ "$newest" -lt "$next" ] || newest=$((next - 1))   # both were stored within a second
    TZ=Asia/Tokyo flatten_ok 3
    [ "$(time_of "$FLAT")" -eq "$newest" ]
    # The next one was stored by a clock that was late.
    mkdir -p "$STORED"
    restic_here restore "${S[4]}" --target /
    TZ=UTC restic_here backup --force --tag one-12 --time '2001-02-03 04:05:06' "$STORED"/*
    late=$(restic_here snapshots --json --no-lock | jq -r 'min_by(.time).short_id')
    rm -r "${STORED%/backup}"
    first=$FLAT
    flatten_ok 2 "$(image "2:$first" "3:${S[3]}" "4:$late")"
    [ "$(time_of "$FLAT")" -eq $(($(time_of "$late") - 1)) ]
}

@test "with no more increments than KEEP_LAST there is nothing to do, and nothing to say" {
    run -0 --separate-stderr flatten 5
    [ -z "$output$stderr" ]
    run -0 --separate-stderr flatten 1 "<IMAGE><ID>57</ID><SOURCE>${S[0]}</SOURCE><VMS><ID>12</ID></VMS><BACKUP_INCREMENTS/></IMAGE>"
    [ -z "$output$stderr" ]
    run -0 --separate-stderr flatten 1 '<IMAGE><ID>57</ID><VMS><ID>12</ID></VMS></IMAGE>'
    [ -z "$output$stderr" ]
    [ "$(snapshots | wc -l)" -eq 5 ]
}

@test "without a KEEP_LAST that is one it is a bad request" {
    for keep in '' 0 -1 many; do
        run -2 --separate-stderr flatten "$keep"
        one_line 'KEEP_LAST'
    done
}

@test "a snapshot that is missing is named, and nothing changes" {
    for n in 1 4; do
        restic_here forget "${S[n]}"
        before=$(snapshots)
        run -1 --separate-stderr flatten 2
        one_line "no snapshot ${S[n]}"
        [ "$(snapshots)" = "$before" ]
    done
}

@test "a disk that is missing in one of them is named, and nothing changes" {
    mkdir -p "$STORED"
    sequential "$STORED/disk.0.1" 40 0=a
    vm | base64 >"$STORED/vm.xml"
    restic_here backup --tag one-12 "$STORED/disk.0.1" "$STORED/vm.xml"
    S[1]=$(restic_here snapshots --json --no-lock | jq -r 'max_by(.time).short_id')
    rm -r "${STORED%/backup}"
    before=$(snapshots)
    run -1 --separate-stderr flatten 2
    one_line "${S[1]} has no file 'disk.2.1'"
    [ "$(snapshots)" = "$before" ]
    nothing_left
}

@test "a file that is damaged is an error that names it, and nothing changes" {
    local pack
    while read -r pack; do
        chmod u+w "$pack"
        dd if=/dev/urandom of="$pack" bs=16 count=1 seek=2 conv=notrunc status=none
    done < <(find "$BASE/12/data" -type f)
    before=$(snapshots)
    run -1 --separate-stderr flatten 2
    one_line "cannot read"
    [ "$(snapshots)" = "$before" ]
    [ -z "$(ls -A "$SCRATCH")" ]
}

@test "what is in the directory of the VM now is neither read nor touched" {
    mkdir -p "$STORED"
    echo live >"$STORED/disk.0.3"; echo live >"$STORED/other"
    touch -d @1000000 "$STORED" "$STORED"/*
    before=$(stat -c '%n %Y %Z %s' "$STORED" "$STORED"/*)
    flatten_ok 2
    [ "$(stat -c '%n %Y %Z %s' "$STORED" "$STORED"/*)" = "$before" ]
    rm -r "${STORED%/backup}"
    restores "$CHAIN"
    [ "$(stored_in "$FLAT" '.paths | length')" -eq 7 ]
}

# The repository is in memory, which is not counted: so what is counted is temporary.
@test "no temporary bytes: nothing of the disks is written anywhere but to the repository" {
    local memory
    memory=$(mktemp -d /dev/shm/vmvault-test.XXXXXX) || skip 'nothing is in memory here'
    mv "$BASE" "$memory/base"
    BASE=$memory/base
    publish_datastore
    VIA=$ROOT/tests/bench/accounted flatten_ok 2
    written=${stderr_lines[-1]}
    echo "written: $written of $(restic_here dump "$FLAT" "$STORED/disk.0.3" | wc -c) and more"
    status=0; restores "$CHAIN" || status=1
    rm -r "$memory"
    [ $status -eq 0 ]
    [ "$written" -lt 150000 ]   # notes and locks; the disks are 1.8 MB
}

@test "a chain of more than eight files is read through one mount of the repository" {
    local n disk
    mkdir -p "$STORED"
    for n in {5..9}; do
        rm -f "$STORED"/*
        sequential "$STORED/disk.0.$n" 40 "$n=a" 0="$n"; sequential "$STORED/disk.2.$n" 12 "$n=b"
        vm | base64 >"$STORED/vm.xml"
        restic_here backup --force --tag one-12 "$STORED"/*
        S+=("$(restic_here snapshots --json --no-lock | jq -r 'max_by(.time).short_id')")
        for disk in 0 2; do
            cp "$STORED/disk.$disk.$n" "$BATS_FILE_TMPDIR/copies/"
            as_it_was "$BATS_FILE_TMPDIR/copies" "$disk" "$n" "$BATS_FILE_TMPDIR/was.$disk.$n"
        done
    done
    rm -r "${STORED%/backup}"
    flatten_ok 1
    [[ $stderr != *copies* ]]
    [ "$(snapshots)" = "$FLAT" ]
    restores "$CHAIN"
    nothing_left
}

@test "cancelled while it stores: the chain is as it was, and nothing stays" {
    before=$(snapshots)
    for signal in TERM INT; do
        flatten_slowly 2
        eventually is_storing
        kill -$signal "$(action_pid)"
        status=0; wait $slow || status=$?
        [ $status -eq 143 ]
        [ "$(snapshots)" = "$before" ]
        nothing_left
    done
    flatten_ok 2
    restores "$CHAIN"
}

@test "two at a time for one VM: the second is refused" {
    flatten_slowly 2
    eventually is_storing
    run -1 --separate-stderr flatten 2
    one_line 'VM 12 is already'
    kill "$(action_pid)"
    wait $slow || true
}
