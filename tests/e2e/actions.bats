# SPDX-License-Identifier: Apache-2.0
# The actions as a front-end calls them: vmm/kvm/backup for a VM on another machine, a repository on
# a third one, and the downloader.  All three machines are this one, reached by a private sshd.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    eval "$("$FIXTURES/sshd" start "$PWD/sshd" --owner $$)"
    export VMVAULT_REMOTE_DIR=$BUILD VMVAULT_CORE_DIR=$PWD/core
    mkdir -p core/datastores vms/12 repository
    datastore >core/datastores/100.xml
    chmod 600 core/datastores/100.xml
    qemu-img create -q -f qcow2 a.qcow2 40M
    qemu-img create -q -f qcow2 b.qcow2 20M
    ln -s "$PWD/a.qcow2" vms/12/disk.0
    ln -s "$PWD/b.qcow2" vms/12/disk.3
    paused_start one-12 a.qcow2 b.qcow2
}

teardown_file() {
    "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"
    hypervisor_stop
}

setup() { cd "$BATS_FILE_TMPDIR"; }

datastore() {
    cat <<XML
<DATASTORE><ID>100</ID><NAME>backups</NAME><DS_MAD>restic</DS_MAD><BASE_PATH>$BATS_FILE_TMPDIR/repository</BASE_PATH>
<TEMPLATE><RESTIC_PASSWORD>s3cret-word</RESTIC_PASSWORD><RESTIC_SFTP_SERVER>backup-server</RESTIC_SFTP_SERVER>
<RESTIC_SFTP_USER>$(id -un)</RESTIC_SFTP_USER></TEMPLATE></DATASTORE>
XML
}

# backup LAST_INCREMENT MODE [HOST]
backup() {
    local dir=$BATS_FILE_TMPDIR/vms/12 host=${3:-hypervisor-1}
    action vmm/kvm/backup 12 <<XML
<VMM_DRIVER_ACTION_DATA><HOST>$host</HOST><DEPLOY_ID>one-12</DEPLOY_ID>
<TM_COMMAND><![CDATA[BACKUP qcow2 $host:$dir 0:3 one-12 - 12 0
]]></TM_COMMAND>
<VM><ID>12</ID><NAME>web</NAME><LCM_STATE>69</LCM_STATE><DEPLOY_ID>one-12</DEPLOY_ID><TEMPLATE>
<DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET><TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><TM_MAD>qcow2</TM_MAD><SIZE>40</SIZE></DISK>
<DISK><DISK_ID>3</DISK_ID><TARGET>vdb</TARGET><TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT><TM_MAD>qcow2</TM_MAD><SIZE>20</SIZE></DISK>
</TEMPLATE><BACKUPS><BACKUP_CONFIG><FS_FREEZE>NONE</FS_FREEZE><MODE>$2</MODE><INCREMENT_MODE>CBT</INCREMENT_MODE>
<LAST_INCREMENT_ID>$1</LAST_INCREMENT_ID><LAST_DATASTORE_ID>100</LAST_DATASTORE_ID></BACKUP_CONFIG></BACKUPS></VM>
$(datastore)</VMM_DRIVER_ACTION_DATA>
XML
}

# restored CHAIN DISK FILE: the disk as of the chain's last increment
restored() {
    local last=${1##*,} pair
    pair=$("$BUILD/datastore/restic/downloader" \
        "restic://100//$1/$BATS_FILE_TMPDIR/vms/12/backup/disk.$2.${last%%:*}" </dev/null)
    # As the stock tools do it: the answer is two shell assignments, the command prints the disk.
    (eval "$pair"; eval "$command") >"$3"
}

@test "a full and an increment through ssh into a repository behind SFTP" {
    disk_write one-12 0 'write -P 1 0 8M'
    disk_write one-12 1 'write -P 2 1M 1M'
    reference full a.qcow2 b.qcow2
    run -0 --separate-stderr backup -1 INCREMENT
    [[ $output =~ ^([0-9a-f]+)\ ([0-9]+)\ ([a-z0-9]+)$ ]]
    full=${BASH_REMATCH[1]}
    disk_write one-12 0 'write -P 3 4M 64k'
    reference increment a.qcow2 b.qcow2
    run -0 --separate-stderr backup 0 INCREMENT
    [[ $output =~ ^([0-9a-f]+)\ ([0-9]+)\ ([a-z0-9]+)$ ]]
    [ "${BASH_REMATCH[2]}" -lt 8 ]
    chain=0:$full,1:${BASH_REMATCH[1]}

    restored "0:$full" 0 full/restored.0
    same_disk full/a.qcow2 full/restored.0
    restored "$chain" 0 increment/restored.0
    same_disk increment/a.qcow2 increment/restored.0
    restored "$chain" 3 increment/restored.3
    same_disk increment/b.qcow2 increment/restored.3
    [ ! -e vms/12/backup ]
}

@test "an increment whose number the front-end never heard of is taken again" {
    run -0 --separate-stderr backup -1 INCREMENT
    full=${output%% *}
    disk_write one-12 0 'write -P 4 5M 64k'
    run -0 --separate-stderr backup 0 INCREMENT   # its reply gets lost
    disk_write one-12 0 'write -P 5 6M 64k'
    reference again a.qcow2 b.qcow2
    run -0 --separate-stderr backup 0 INCREMENT
    restored "0:$full,1:${output%% *}" 0 again/restored.0
    same_disk again/a.qcow2 again/restored.0
}

@test "a machine that does not answer" {
    run -1 --separate-stderr backup -1 INCREMENT unreachable
    one_line
    [[ $stderr == *unreachable* && -z $output ]]
}

@test "the password is on no command line" {
    local seen=$BATS_TEST_TMPDIR/seen
    disk_write one-12 0 'write -P 6 0 30M'
    backup -1 FULL >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$!
    while kill -0 $pid 2>/dev/null; do
        { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '; echo; } >>"$seen" || true
    done
    wait $pid
    grep -q 'restic' "$seen"   # we did look
    run -1 grep -l 's3cret-word' "$seen" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
}
