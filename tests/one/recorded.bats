#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Plays the part of the core with what a real one said: its own documents and words, with ids and paths
# mapped to what is here, and answers and API calls held against those that were recorded.

load ../helper
source "$ROOT/tests/datastore/restic/restic.bash"

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONED=$BATS_FILE_TMPDIR/oned ONE_XMLRPC ONE_AUTH ONE_CIPHER_AUTH
}
teardown_file() { "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"; }

setup() {
    store_setup
    unset VMVAULT_CORE_DIR
    # Powered off, the VM is unknown to libvirt: any libvirt will do.  The views have tests of their own.
    export LIBVIRT_DEFAULT_URI=test:///default VMVAULT_EXPORT=copy
    RECORDED=$BATS_TEST_DIRNAME/recorded
    ONE=$BATS_TEST_TMPDIR/one
    VMDIR=$ONE/datastores/101/2
    FILES=$VMDIR/backup
    BASE=$ONE/datastores/102
    MAPPING=()
    WORDS=("localhost:$ONE//datastores/101/2" 0 23401b18-2886-42e0-8639-73a62b52342b - 2 101)
    mkdir -p "$VMDIR/disk.0.snap" "$BASE"
    qemu-img create -q -f qcow2 "$VMDIR/disk.0.snap/0" 1G
    qemu-io -f qcow2 -c 'write -q -P 5 3M 200k' "$VMDIR/disk.0.snap/0"
    ln -s disk.0.snap/0 "$VMDIR/disk.0"
    ln -s . "$VMDIR/disk.0.snap/disk.0.snap"
    recorded backup.stdin | xmllint --xpath /DS_DRIVER_ACTION_DATA/DATASTORE - >"$ONED/datastores/102.xml"
    rm -rf "$ONED"/calls "$ONED"/made.*
}

# recorded FILE: as if it had happened here
recorded() {
    sed -e "s#/var/lib/one#$ONE#g; s/node1/localhost/g; s/bkp1/localhost/g" \
        -e "s#\(<RSYNC_USER>\).*\(</RSYNC_USER>\)#\1$(id -un)\2#" \
        -e 's#<RESTIC_SFTP_SERVER>.*</RESTIC_SFTP_SERVER>#<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>#' \
        "${MAPPING[@]}" "$RECORDED/$1"
}

# step NAME FILE: an executable of the VM's MAD, which gives it plain XML
step() { recorded "$2" | "$BUILD/$1" "${WORDS[@]}"; }
# ask NAME ID FILE: one of the datastore's MAD, which gives it base64
ask() { recorded "$3" | base64 -w 0 | "$BUILD/datastore/${MAD:-restic}/$1" "$2"; }

# said_well: what it said on stderr is for the logs
said_well() {
    local line
    while read -r line; do
        [[ -z $line || $line =~ ^(ERROR|INFO|WARN|DEBUG):\ [^:]+:\  ]] || { echo "stderr: $line"; return 1; }
    done <<<"$stderr"
}

# one_increment N: a snapshot with disk.0.N, as the core's own driver lays it out; ID is its id
one_increment() {
    mkdir -p "$FILES"
    rm -f "$FILES"/*
    sequential "$FILES/disk.0.$1" 16 "$1=x" "$(($1 + 5))=y"
    recorded vm.xml | base64 >"$FILES/vm.xml"
    ID=$(restic_here backup --tag one-2 --json "$FILES/disk.0.$1" "$FILES/vm.xml" | jq -r 'select(.message_type == "summary").snapshot_id[:8]')
}
with_chain() {
    local recorded_id n=$1
    with_repository 2
    for recorded_id in "${@:2}"; do
        VM=2 one_increment "$n"
        MAPPING+=(-e "s/$recorded_id/$ID/g")
        n=$((n + 1))
    done
}

@test "a full backup of a powered-off VM: capture, upload, clean up" {
    with_repository 2
    run -0 --separate-stderr step tm/qcow2/prebackup prebackup.stdin
    said_well
    base64 -d "$FILES/vm.xml" | xmllint --noout -
    same_disk "$FILES/disk.0.0" "$VMDIR/disk.0"
    run -0 --separate-stderr step datastore/restic/backup backup.stdin
    said_well
    # Recorded: "ddeb2625 200 raw".
    [[ $output =~ ^[0-9a-f]{8}\ [0-9]+\ raw$ ]]
    id=${output%% *}
    VM=2 run -0 restic_here snapshots --json "$id"
    [ "$(jq -r '.[0].tags[0]' <<<"$output")" = one-2 ]
    [[ "$(jq -r '.[0].paths[]' <<<"$output")" == *"$FILES/disk.0.0"* ]]
    run -0 --separate-stderr step tm/qcow2/postbackup postbackup.stdin
    [ -z "$output" ]
    said_well
    [ ! -e "$FILES" ]
    # The image that the core makes of it is asked for.
    run -0 --separate-stderr ask monitor 102 monitor.xml
    [[ ${lines[0]} =~ ^USED_MB=[0-9]+$ && ${lines[1]} =~ ^TOTAL_MB=[0-9]+$ && ${lines[2]} =~ ^FREE_MB=[0-9]+$ ]]
}

@test "an image is restored: the API calls are those that were recorded" {
    with_chain 2 8c634d5e c6833468 8ad4b4bb
    echo 6 >"$ONED/last"
    run -0 --separate-stderr ask restore 2 restore.xml
    # Recorded: "0 7".
    [ "$output" = '8 7' ]
    said_well
    [ "$(jq -r '"\(.method) \(.user) \(.params[1:])"' "$ONED/calls")" = 'one.image.allocate oneadmin [100,false]
one.template.allocate oneadmin []' ]
    diff <(recorded image.allocate) "$ONED/made.image/7"
    diff <(recorded template.allocate) "$ONED/made.template/8"
}

@test "the core asks for the size of the image, and its driver downloads it" {
    with_chain 2 8c634d5e c6833468 8ad4b4bb
    run -0 --separate-stderr ask stat 3 stat.xml
    [ "$output" = 1024 ]
    said_well
    url=$(recorded image.allocate | sed -n 's/^PATH = "\(.*\)"/\1/p')
    REMOTES=$BUILD "$FIXTURES/downloader.sh" "$url" "$BATS_TEST_TMPDIR/image"
    qemu-img check -q "$BATS_TEST_TMPDIR/image"
    [ "$(virtual_size "$BATS_TEST_TMPDIR/image")" -eq $((16 * 65536)) ]
}

# The same on a server of the rsync datastore, where the core's own driver has stored the chain.
with_rsync_chain() {
    MAD=rsync
    [ -x "$BUILD/datastore/rsync/restore" ] || skip 'there is no rsync datastore'
    local n=1 name to
    for name in 3e6959 3867ea cd400e; do
        to=$ONE/datastores/103/2/$name
        mkdir -p "$to"
        qemu-img create -q -f qcow2 "$to/disk.0.$n" 1M
        qemu-io -f qcow2 -c "write -q -P $n $((n * 64))k 100k" "$to/disk.0.$n"
        recorded vm.xml | base64 >"$to/vm.xml"
        n=$((n + 1))
    done
    recorded rsync-stat.xml | xmllint --xpath /DS_DRIVER_ACTION_DATA/DATASTORE - >"$ONED/datastores/103.xml"
}

@test "an image of the rsync datastore is restored, with the API calls that were recorded" {
    with_rsync_chain
    echo 12 >"$ONED/last"
    run -0 --separate-stderr ask restore 6 rsync-restore.xml
    # Recorded: "1 13".
    [ "$output" = '14 13' ]
    said_well
    diff <(recorded rsync-image.allocate) "$ONED/made.image/13"
    diff <(recorded rsync-template.allocate) "$ONED/made.template/14"
    run -0 --separate-stderr ask stat 7 rsync-stat.xml
    [ "$output" = 1024 ]
    url=$(recorded rsync-image.allocate | sed -n 's/^PATH = "\(.*\)"/\1/p')
    REMOTES=$BUILD "$FIXTURES/downloader.sh" "$url" "$BATS_TEST_TMPDIR/image"
    local n
    for n in 1 2 3; do
        qemu-io -r -f qcow2 -c "read -P $n $((n * 64))k 64k" "$BATS_TEST_TMPDIR/image" >"$BATS_TEST_TMPDIR/said"
        run -1 grep failed "$BATS_TEST_TMPDIR/said"
    done
}

@test "KEEP_LAST is reached: the oldest become one" {
    with_chain 0 39444719 5f2cc88b 83d2dbd5 c6833468
    # Recorded: "<MB> <id>:<source>,<id>:<source>..." with the increments that are kept.
    read -r _ chain < <(recorded flatten.stdout)
    run -0 --separate-stderr ask increment_flatten 6 flatten.xml
    said_well
    [[ $output =~ ^[0-9]+\ [0-9]+:[0-9a-f]{8}(,[0-9]+:[0-9a-f]{8})*$ ]]
    # The ids of the increments are the same, and the sources of all but the merged one.
    [ "$(sed 's/:[^,]*//g' <<<"${output#* }")" = "$(sed 's/:[^,]*//g' <<<"$chain")" ]
}

@test "an image is deleted, and again" {
    with_chain 0 ddeb2625
    run -0 --separate-stderr ask rm 4 rm.xml
    [ -z "$output" ]
    said_well
    VM=2 run -0 restic_here snapshots --json
    [ "$(jq length <<<"$output")" -eq 0 ]
    run -0 --separate-stderr ask rm 4 rm.xml
}

@test "all of it as an ordinary user, oneadmin" {
    [ "$(id -u)" -eq 0 ] || skip 'this is one'
    local home
    home=$(mktemp -d)
    chown 65534:65534 "$home"
    as_oneadmin test -x "$BUILD/tm/host/backup_host" -a -w "$home" || { rm -rf "$home"; skip 'the tree is not for everybody to read'; }
    run as_oneadmin HOME="$home" TMPDIR="$home" BUILD="$BUILD" \
        bats --formatter tap -f 'powered-off|is restored|KEEP_LAST|deleted' "$BATS_TEST_FILENAME"
    rm -rf "$home"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ok' <<<"$output")" -eq 5 ]
    [[ $output != *'# skip'* ]]
}
as_oneadmin() { setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"; }
