#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A backup takes the place of the disks of a powered-off VM.

load ../helper
source "$ROOT/tests/datastore/restic/restic.bash"
source "$ROOT/tests/faults/shim.bash"

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONED=$BATS_FILE_TMPDIR/oned ONE_XMLRPC ONE_AUTH
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    store_setup
    unset VMVAULT_CORE_DIR
    with_repository
    local n id
    for n in 0 1; do
        rm -f "$FILES"/disk.*
        for id in 0 2; do
            sequential "$FILES/disk.$id.$n" 16 $((n + id))=$n 9="$id"
            cp "$FILES/disk.$id.$n" "$BATS_FILE_TMPDIR/layer.$id.$n"
        done
        tar -C "$BATS_FILE_TMPDIR" --transform 's,^,tpm/,' -czf "$FILES/disk.tpm.0" "$(tpm_state $n)"
        vm | base64 >"$FILES/vm.xml"
        LAST=$((n - 1)) DISKS=0:2 backup_ok
        echo "$n:$ID" >>"$BATS_FILE_TMPDIR/chain"
    done
    for id in 0 2; do
        qemu-img rebase -u -f qcow2 -F qcow2 -b "$BATS_FILE_TMPDIR/layer.$id.0" "$BATS_FILE_TMPDIR/layer.$id.1"
    done
    datastore >"$ONED/datastores/100.xml"
    mapfile -t CHAIN <"$BATS_FILE_TMPDIR/chain"
    image "${CHAIN[@]}" | sed 's,<VMS>,<DATASTORE_ID>100</DATASTORE_ID>&,' >"$ONED/images/57.xml"
}
teardown_file() { "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"; }

teardown() {
    shim_end
    nbd_stop
    sftp_teardown
}

# tpm_state N: the name of a file with that state
tpm_state() { echo "state $1" >"$BATS_FILE_TMPDIR/tpm2-00.permall"; echo tpm2-00.permall; }

setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    MACHINE="$BATS_TEST_TMPDIR/it's a \$dir/12"
    IMAGES=$BATS_TEST_TMPDIR/images
    mkdir -p "$MACHINE" "$IMAGES"
    PERSISTENT='' DRIVER=qcow2
    machine >"$ONED/vms/12.xml"
    rm -f "$ONED/calls"
}

machine() {
    cat <<XML
<VM><ID>12</ID><NAME>it's "a" VM</NAME><TEMPLATE>
<DISK><DISK_ID>0</DISK_ID><TYPE>FILE</TYPE><SIZE>1</SIZE><DRIVER>$DRIVER</DRIVER><SAVE>NO</SAVE></DISK>
<DISK><DISK_ID>2</DISK_ID><TYPE>FILE</TYPE><SIZE>1</SIZE><DRIVER>$DRIVER</DRIVER><SAVE>${PERSISTENT:-NO}</SAVE>
<SOURCE><![CDATA[$IMAGES//abc]]></SOURCE></DISK></TEMPLATE><USER_TEMPLATE><A>'; touch $BATS_TEST_TMPDIR/shell #</A></USER_TEMPLATE></VM>
XML
}

# old_disk FILE: one with data that no backup has, and a bitmap
old_disk() {
    qemu-img create -q -f qcow2 "$1" 1M
    qemu-io -f qcow2 -c 'write -P 77 0 1M' "$1" >/dev/null
    qemu-img bitmap --add -f qcow2 "$1" one-12-1
}
# What OpenNebula's drivers make for a VM.
plain_disks() { for id in 0 2; do old_disk "$MACHINE/disk.$id"; done; }
layered_disk() {
    mkdir "$MACHINE/disk.$1.snap"
    old_disk "$MACHINE/disk.$1.snap/0"
    qemu-img create -q -f qcow2 -F qcow2 -b "$MACHINE/disk.$1.snap/0" "$MACHINE/disk.$1.snap/1"
    ln -s . "$MACHINE/disk.$1.snap/disk.$1.snap"
    ln -s "disk.$1.snap/1" "$MACHINE/disk.$1"
}
persistent_disk() {
    old_disk "$IMAGES/abc"
    mkdir "$IMAGES/abc.snap"
    ln -s "$IMAGES/abc" "$IMAGES/abc.snap/0"
    ln -s "$IMAGES/abc.snap/0" "$MACHINE/disk.2"
}

# nbd_start FORMAT FILE: qemu has it open, as when its VM runs
nbd_start() {
    qemu-nbd --fork --persistent -f "$1" --pid-file="$BATS_TEST_TMPDIR/nbd.pid" --socket="$BATS_TEST_TMPDIR/nbd" "$2" 3>&-
}
nbd_stop() {
    [ -e "$BATS_TEST_TMPDIR/nbd.pid" ] || return 0
    local pid
    pid=$(<"$BATS_TEST_TMPDIR/nbd.pid")
    rm "$BATS_TEST_TMPDIR/nbd.pid"
    kill "$pid"
    eventually is_gone "$pid"
}

# restore MAD [INCREMENT] [DISK]
restore() { ${VIA-} "$BUILD/tm/$1/restore" "localhost:$MACHINE" 12 57 "${2:--1}" "${3:--1}"; }

# host_does VERB [WHAT] [FILE]: on the host of a VM whose disk 0 is restored, from a file
host_does() {
    {
        base64 -w0 <<XML
<RESTORE_HOST><VM_ID>12</VM_ID><VM_DIR>$MACHINE</VM_DIR><TPM>NO</TPM><DISK><ID>0</ID><LAYOUT>PLAIN</LAYOUT>
<SOURCE></SOURCE><RAW>NO</RAW><SIZE>0</SIZE></DISK></RESTORE_HOST>
XML
        echo
        [ -z "${3-}" ] || cat "$3"
    } | "$BUILD/tm/host/restore_host" "${@:1:2}"
}

# holds DISK INCREMENT [FORMAT]: the disk of the VM is that of the backup, by itself
holds() {
    qemu-img compare -q -f "${3:-qcow2}" -F qcow2 "$MACHINE/disk.$1" "$BATS_FILE_TMPDIR/layer.$1.$2"
    [ "$(qemu-img info -f "${3:-qcow2}" --output=json "$MACHINE/disk.$1" |
        jq -c '[.["backing-filename"], .["format-specific"].data.bitmaps]')" = '[null,null]' ]
}
# is_old DISK: it is what it was
is_old() {
    local said
    said=$(qemu-io -r -f qcow2 -c 'read -P 77 0 1M' "$MACHINE/disk.$1" 2>&1)
    [[ $said == *'read 1048576'* && $said != *failed* ]]
}
# tidy: nothing of a restore is left beside the disks
tidy() {
    run -0 find "$MACHINE" "$IMAGES" -name '*vmvault*' -o -name 'restore.journal'
    [ -z "$output" ]
}

@test "ssh, local: all disks, as of the last increment" {
    plain_disks
    chmod 640 "$MACHINE/disk.0"
    mkdir "$MACHINE/disk.0.snap" "$MACHINE/tpm"
    run -0 --separate-stderr restore ssh
    [ -z "$output" ]
    holds 0 1
    holds 2 1
    [ "$(stat -c %a "$MACHINE/disk.0")" = 640 ]
    [ ! -e "$MACHINE/disk.0.snap" ]
    [ "$(<"$MACHINE/tpm/tpm2-00.permall")" = 'state 1' ]
    [ ! -e "$BATS_TEST_TMPDIR/shell" ]
    tidy
    [ "$(jq -r '"\(.user) \(.method) \(.params)"' "$ONED/calls" | sort -u)" = 'oneadmin one.datastore.info [100,true]
oneadmin one.image.info [57]
oneadmin one.vm.info [12]' ]
}

@test "one disk, as of the first increment" {
    plain_disks
    restore local 0 2
    holds 2 0
    is_old 0
    [ ! -e "$MACHINE/tpm" ]
    tidy
}

@test "qcow2, shared: a disk's layers are one again, and the links are as they were" {
    layered_disk 0
    layered_disk 2
    restore qcow2
    holds 0 1
    holds 2 1
    [ "$(readlink "$MACHINE/disk.0")" = disk.0.snap/0 ]
    [ "$(readlink "$MACHINE/disk.0.snap/disk.0.snap")" = . ]
    [ "$(ls "$MACHINE/disk.0.snap")" = "0
disk.0.snap" ]
    tidy
}

@test "qcow2, shared: a persistent image is restored where it is" {
    PERSISTENT=YES
    machine >"$ONED/vms/12.xml"
    layered_disk 0
    persistent_disk
    restore shared 0
    holds 0 0
    holds 2 0
    [ "$(readlink "$MACHINE/disk.2")" = "$IMAGES/abc.snap/0" ]
    [ "$(readlink "$IMAGES/abc.snap/0")" = "$IMAGES/abc" ]
    [ "$(readlink "$IMAGES/abc.snap/abc.snap")" = . ]
    qemu-img compare -q "$IMAGES/abc" "$BATS_FILE_TMPDIR/layer.2.0"
    tidy
}

@test "a persistent image that is named by a link is restored where that leads, also if nothing is there" {
    local data=$BATS_TEST_TMPDIR/data missing
    PERSISTENT=YES
    machine >"$ONED/vms/12.xml"
    layered_disk 0
    persistent_disk
    mkdir -p "$data/mnt"
    ln -s mnt "$data/by-name"
    mv "$IMAGES/abc" "$data/mnt/db"
    chmod 640 "$data/mnt/db"
    ln -s db "$data/mnt/again"
    ln -s ../data/by-name/again "$IMAGES/abc"
    for missing in no yes; do
        [ $missing = no ] || rm "$data/mnt/db"
        restore shared
        holds 0 1
        holds 2 1
        [ "$(readlink "$IMAGES/abc") $(readlink "$data/mnt/again")" = '../data/by-name/again db' ]
        [ ! -L "$data/mnt/db" ]
        qemu-img compare -q "$data/mnt/db" "$BATS_FILE_TMPDIR/layer.2.1"
        [ $missing = yes ] || [ "$(stat -c %a "$data/mnt/db")" = 640 ]
        [ "$(ls "$data/mnt")" = "again
db" ]
        tidy
    done
}

@test "a link that leads to no file is refused, and stays" {
    PERSISTENT=YES
    machine >"$ONED/vms/12.xml"
    layered_disk 0
    persistent_disk
    rm "$IMAGES/abc"
    ln -s /dev/null "$IMAGES/abc"   # as to a volume of LVM
    run -1 --separate-stderr restore shared
    one_line "'/dev/null' is no file, and no disk can be restored in its place"
    ln -sfn abc "$IMAGES/abc"
    run -1 --separate-stderr restore shared
    one_line "'$IMAGES/abc' leads through too many links"
    [ -L "$IMAGES/abc" ]
    is_old 0
    tidy
}

@test "from a server of the rsync datastore" {
    [ -x "$BUILD/datastore/rsync/server" ] || skip 'there is no rsync datastore'
    local base=$BATS_TEST_TMPDIR/server names=(aa0000 bb1111) n
    for n in 0 1; do
        mkdir -p "$base/12/${names[$n]}"
        sequential "$base/12/${names[$n]}/disk.2.$n" 16 $((n + 2))=$n 9=2
        vm | base64 >"$base/12/${names[$n]}/vm.xml"
    done
    cat >"$ONED/datastores/103.xml" <<XML
<DATASTORE><ID>103</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>$base</BASE_PATH><TEMPLATE>
<RSYNC_HOST>localhost</RSYNC_HOST><RSYNC_USER>$(id -un)</RSYNC_USER></TEMPLATE></DATASTORE>
XML
    image 0:aa0000 1:bb1111 | sed 's,57,58,; s,<VMS>,<DATASTORE_ID>103</DATASTORE_ID>&,' >"$ONED/images/58.xml"
    plain_disks
    "$BUILD/tm/ssh/restore" "localhost:$MACHINE" 12 58 -1 -1
    holds 2 1
    is_old 0
    tidy
}

@test "on another host, through ssh" {
    sftp_setup
    plain_disks
    export VMVAULT_REMOTE_DIR=$BUILD
    "$BUILD/tm/ssh/restore" "bk1:$MACHINE" 12 57 -1 -1
    holds 0 1
    holds 2 1
    tidy
    run -1 --separate-stderr "$BUILD/tm/ssh/restore" "bk1:$MACHINE/none" 12 57 -1 -1
    one_line "restore_host begin on bk1: the directory of VM 12, '$MACHINE/none', does not exist"
}

@test "with another's driver of the datastore: its ls, and the core's downloader.sh" {
    local tree=$BATS_TEST_TMPDIR/tree seen=$BATS_TEST_TMPDIR/seen
    mkdir -p "$tree"/{tm/ssh,tm/host,datastore/restic}
    cp "$BUILD/tm/ssh/restore" "$tree/tm/ssh"
    cp "$BUILD/tm/host/restore_host" "$tree/tm/host"
    printf '#!/bin/bash\ntee %q | %q "$@"\n' "$seen" "$BUILD/datastore/restic/ls" >"$tree/datastore/restic/ls"
    chmod +x "$tree/datastore/restic/ls"
    ln -s "$FIXTURES/downloader.sh" "$tree/datastore/downloader.sh"
    ln -s "$BUILD/datastore/restic_downloader.rb" "$tree/datastore/restic_downloader.rb"
    plain_disks
    REMOTES=$tree "$tree/tm/ssh/restore" "localhost:$MACHINE" 12 57 0 -1
    holds 0 0
    holds 2 0
    tidy
    [ "$(xmllint --xpath 'concat(name(/*), name(/*/*[1]), name(/*/*[2]), name(/*/*[3]), //VM/NAME)' "$seen")" = \
        "DS_DRIVER_ACTION_DATADATASTOREVMIMAGEit's \"a\" VM" ]
}

@test "a VM that takes its disks for raw gets them so" {
    DRIVER=raw
    machine >"$ONED/vms/12.xml"
    for id in 0 2; do truncate -s 1M "$MACHINE/disk.$id"; done
    restore ssh
    holds 0 1 raw
    holds 2 1 raw
    tidy
}

@test "a disk that is damaged or missing is no obstacle" {
    echo rubbish >"$MACHINE/disk.0"
    restore ssh
    holds 0 1
    holds 2 1
}

@test "a VM that runs keeps its disks" {
    plain_disks
    nbd_start qcow2 "$MACHINE/disk.2"
    run -1 --separate-stderr restore ssh
    nbd_stop
    one_line "Error restoring VM disks: restore_host begin on localhost: '$MACHINE/disk.2' is in use"
    is_old 0
    tidy
}

# swap_stopped_at N: after so many renames; the first is that of the journal, two for each disk follow
swap_stopped_at() {
    shim_run "restore_host swap:rename:after:$1" "$BUILD/tm/qcow2/restore" "localhost:$MACHINE" 12 57 0 -1
}

@test "a VM that is started while its disks are exchanged keeps them: an error, and all is as before" {
    local renames format file status
    layered_disk 0
    layered_disk 2
    # Before its disk is moved; or qemu had opened it before, and locks it when the new ones move in.
    while read -r renames format file; do
        swap_stopped_at "$renames"
        nbd_start "$format" "$MACHINE/$file"
        shim_go_on
        status=0
        wait "$shim_command" || status=$?
        [ "$status" -eq 1 ]
        [[ $(<"$BATS_TEST_TMPDIR/shim.out") == *"'$MACHINE/disk.2.snap' is in use: is the VM running?"* ]]
        nbd_stop
        [ "$(readlink "$MACHINE/disk.2")" = disk.2.snap/1 ]
        is_old 0
        is_old 2
        tidy
    done <<'CASES'
1 qcow2 disk.2.snap/1
6 raw disk.2.snap.vmvault-old/1
CASES
    restore qcow2
    holds 2 1
}

@test "libvirt's hook finds a restore before that has looked a last time whether the VM is at rest" {
    plain_disks
    host_does begin
    host_does receive 0 "$BATS_FILE_TMPDIR/layer.0.0"
    nbd_start qcow2 "$MACHINE/disk.0"
    run -1 --separate-stderr host_does swap
    nbd_stop
    one_line "'$MACHINE/disk.0' is in use"
    [ "$(readlink "$VMVAULT_VAR"/host/*)" = "$MACHINE" ]
    [ "$(host_does end)" = undone ]
    [ -z "$(ls -A "$VMVAULT_VAR/host")" ]
    is_old 0
    tidy
}

@test "a second disk that cannot be downloaded: the first stays as it was" {
    plain_disks
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
[[ "\$*" != *dump*/disk.2.* ]] || { echo 'Fatal: no' >&2; exit 1; }
exec '$(command -v restic)' "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run -1 --separate-stderr restore ssh
    one_line 'Error restoring VM disks: cannot download disk 2: '
    is_old 0
    is_old 2
    tidy
    restore ssh
    holds 0 1
}

@test "a swap that cannot begin leaves all as it was" {
    PERSISTENT=YES
    machine >"$ONED/vms/12.xml"
    layered_disk 0
    persistent_disk
    mkdir "$IMAGES/abc.vmvault-old"
    run -1 --separate-stderr restore qcow2
    one_line 'is in the way'
    is_old 0
    is_old 2
    [ "$(readlink "$MACHINE/disk.0")" = disk.0.snap/1 ]
    rmdir "$IMAGES/abc.vmvault-old"
    tidy
}

# killed_at N [WHOM]: a restore whose restore_host is killed after its N-th rename; its front-end as
# well if WHOM is "all".  The first is that of the journal, two for each place follow, and the journal
# again.
killed_at() {
    shim_run "restore_host swap:rename:after:$1" "$BUILD/tm/qcow2/restore" "localhost:$MACHINE" 12 57 -1 -1
    [ "${2-}" != all ] || kill -KILL "$shim_command"
    kill -KILL "$shim_pid"
    wait "$shim_command" || true
}

@test "killed at any rename: all old, or all new, once somebody looks" {
    local n outcome seen=''
    for n in 1 2 3 6 11 12; do
        rm -rf "${MACHINE:?}"/* "${VMVAULT_VAR:?}"
        layered_disk 0
        layered_disk 2
        mkdir "$MACHINE/tpm"
        echo old >"$MACHINE/tpm/tpm2-00.permall"
        killed_at "$n"
        outcome=$(if is_old 0; then echo old; else echo new; fi)
        seen+="$outcome "
        if [ "$outcome" = old ]; then
            is_old 2
            [ "$(<"$MACHINE/tpm/tpm2-00.permall")" = old ]
        else
            holds 0 1
            holds 2 1
            [ "$(<"$MACHINE/tpm/tpm2-00.permall")" = 'state 1' ]
        fi
        tidy
    done
    [[ $seen == 'old old old old old new ' ]]
    grep -q 'the answer of localhost was lost, but the disks are restored' "$BATS_TEST_TMPDIR/shim.out"
}

@test "somebody else has ended what was prepared: a failure, and no answer that was lost" {
    local status=0
    plain_disks
    shim_run 'restore_host swap:main:before' "$BUILD/tm/ssh/restore" "localhost:$MACHINE" 12 57 -1 -1
    [ "$(host_does end)" = undone ]
    shim_go_on
    wait "$shim_command" || status=$?
    [ "$status" -eq 1 ]
    [[ $(<"$BATS_TEST_TMPDIR/shim.out") == *'disk 0 has not come'* ]]
    is_old 0
    is_old 2
    tidy
}

@test "nothing is left in the register of machines that somebody has to look at" {
    plain_disks
    restore ssh
    [ -z "$(ls -A "$VMVAULT_VAR/host")" ]
    touch "$MACHINE/backup.journal"   # of a backup that died
    restore ssh
    [ -n "$(ls -A "$VMVAULT_VAR/host")" ]
}

@test "a backup or the timer finds a swap that died with its front-end" {
    layered_disk 0
    layered_disk 2
    killed_at 4 all
    run -1 is_old 0
    run -0 "$BUILD/tm/host/backup_host" recover --all
    [[ $output == *'the old ones are back'* ]]
    is_old 0
    is_old 2
    restore qcow2
    holds 0 1
    tidy
}

@test "cancelled while a disk is on its way: everything is as before" {
    plain_disks
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/bash
[[ "\$*" != *dump*/disk.2.* ]] || { touch '$BATS_TEST_TMPDIR/there'; exec sleep 600; }
exec '$(command -v restic)' "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/bin/restic"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH "$BUILD/tm/ssh/restore" "localhost:$MACHINE" 12 57 -1 -1 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$! status=0
    eventually [ -e "$BATS_TEST_TMPDIR/there" ]
    kill $pid
    wait $pid || status=$?
    [ $status -eq 143 ]
    is_old 0
    is_old 2
    tidy
}

@test "links that somebody planted in the machine's directory lead nowhere" {
    local name out=$BATS_TEST_TMPDIR/out
    mkdir "$out"
    for DRIVER in qcow2 raw; do
        machine >"$ONED/vms/12.xml"
        for name in disk.0.vmvault-new disk.0.vmvault-new.qcow2 disk.0.vmvault-old tpm.vmvault-new tpm restore.journal; do
            rm -rf "${MACHINE:?}"/*
            plain_disks
            echo precious >"$out/$name"
            ln -s "$out/$name" "$MACHINE/$name"
            run --separate-stderr restore ssh
            [ "$(cat "$out/$name")" = precious ] || { echo "$DRIVER: $name is written through"; false; }
            if [ "$status" -eq 0 ]; then holds 0 1 $DRIVER; else is_old 0; fi
            rm "$out/$name"
        done
    done
}

@test "requests that cannot be served" {
    plain_disks
    run -1 --separate-stderr restore ssh -1 1
    one_line 'no disk 1'
    run -1 --separate-stderr restore ssh 7
    one_line 'no increment 7'
    run -2 --separate-stderr "$BUILD/tm/ssh/restore" "localhost:$MACHINE" 12 x -1 -1
    one_line IMAGE_ID
    run -1 --separate-stderr "$BUILD/tm/ssh/restore" "localhost:$MACHINE" 13 57 -1 -1
    one_line 'cannot read VM 13'
    is_old 0
    tidy
}
