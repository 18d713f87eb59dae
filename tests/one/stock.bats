#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is not ours to serve goes to the executable that install.sh has kept.

load ../helper

setup() {
    REMOTES=$BATS_TEST_TMPDIR/remotes
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var SEEN=$BATS_TEST_TMPDIR/seen
    mkdir -p "$REMOTES"/tm/{qcow2,ssh} "$REMOTES"/datastore/restic
    for name in prebackup_live postbackup_live; do
        cp "$BUILD/tm/qcow2/$name" "$REMOTES/tm/qcow2/$name"
        ln -s ../qcow2/$name "$REMOTES/tm/ssh/$name"
        stand_in tm/qcow2/$name.stock
        stand_in tm/ssh/$name.stock
    done
    cp "$BUILD/datastore/restic/downloader" "$REMOTES/datastore/restic/downloader"
    ln -s restic/downloader "$REMOTES/datastore/restic_downloader.rb"
    stand_in datastore/restic_downloader.rb.stock
    WORDS=("localhost:/var/lib/one//datastores/0/12" 0 one-12 - 12 0)
}

# stand_in NAME: writes down what it is given, and answers
stand_in() {
    cat >"$REMOTES/$1" <<SH
#!/bin/bash
printf '%s\n' '$1' "\$@" >'$SEEN'
cat >'$SEEN.stdin'
grep SigBlk /proc/\$\$/status >'$SEEN.signals'
echo answer
echo 'Error of the stock driver' >&2
exit \${STATUS:-0}
SH
    chmod +x "$REMOTES/$1"
}

vm() {
    cat <<XML
  <VM><ID>12</ID><NAME>it's "a" VM</NAME><DEPLOY_ID>one-12</DEPLOY_ID><TEMPLATE>
  <DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET></DISK></TEMPLATE><BACKUPS><BACKUP_CONFIG>
  <INTERACTIVE><![CDATA[$1]]></INTERACTIVE></BACKUP_CONFIG></BACKUPS></VM>

XML
}

@test "an interactive backup: the same words, the same stdin, its own answer" {
    for mad in qcow2 ssh; do
        for name in prebackup_live postbackup_live; do
            STATUS=3 run -3 --separate-stderr "$REMOTES/tm/$mad/$name" "${WORDS[@]}" < <(vm YES)
            [ "$output" = answer ]
            [[ $stderr == *'INFO: '*'interactive'*'Error of the stock driver' ]]
            diff "$SEEN" <(printf '%s\n' "tm/$mad/$name.stock" "${WORDS[@]}")
            diff "$SEEN.stdin" <(vm YES)
            # It can be cancelled: SIGHUP, SIGINT and SIGTERM, which we block, are not.
            blocked=$(awk '/^SigBlk/ { print $2 }' "$SEEN.signals")
            [ $((0x$blocked & 0x4003)) -eq 0 ]
        done
    done
}

# in_ceph LAST: a VM whose chain of backups is image 57
in_ceph() {
    echo "<VM><ID>12</ID><DEPLOY_ID>one-12</DEPLOY_ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID>
        <TARGET>vda</TARGET><TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE></DISK></TEMPLATE><BACKUPS><BACKUP_CONFIG>
        <MODE>INCREMENT</MODE><LAST_INCREMENT_ID>$1</LAST_INCREMENT_ID>
        <INCREMENTAL_BACKUP_ID>57</INCREMENTAL_BACKUP_ID></BACKUP_CONFIG></BACKUPS></VM>"
}

@test "a chain in the legacy format of Ceph goes on as it began; one of ours, and a new one, is ours" {
    export VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    mkdir -p "$VMVAULT_CORE_DIR/images"
    echo '<IMAGE><ID>57</ID><FORMAT>rbd</FORMAT></IMAGE>' >"$VMVAULT_CORE_DIR/images/57.xml"
    for name in prebackup_live postbackup_live; do
        run -0 --separate-stderr "$REMOTES/tm/qcow2/$name" "${WORDS[@]}" < <(in_ceph 3)
        [ "$output" = answer ]
        [[ $stderr == *'legacy format of Ceph'* ]]
        diff "$SEEN.stdin" <(in_ceph 3)
        rm "$SEEN"
    done
    run "$REMOTES/tm/qcow2/prebackup_live" "${WORDS[@]}" < <(in_ceph -1)
    [ "$status" -ne 0 ]   # there is no such guest
    [ ! -e "$SEEN" ]
    echo '<IMAGE><ID>57</ID><FORMAT>raw</FORMAT></IMAGE>' >"$VMVAULT_CORE_DIR/images/57.xml"
    run "$REMOTES/tm/qcow2/prebackup_live" "${WORDS[@]}" < <(in_ceph 3)
    [ "$status" -ne 0 ]
    [ ! -e "$SEEN" ]
    # Not knowing is no reason to write something else into it.
    rm "$VMVAULT_CORE_DIR/images/57.xml"
    run -1 --separate-stderr "$REMOTES/tm/qcow2/prebackup_live" "${WORDS[@]}" < <(in_ceph 3)
    [[ $stderr == *57* ]]
}

@test "where it is not kept, the error says so" {
    rm "$REMOTES/tm/ssh/prebackup_live.stock"
    run -1 --separate-stderr "$REMOTES/tm/ssh/prebackup_live" "${WORDS[@]}" < <(vm YES)
    [ -z "$output" ]
    [[ $stderr == *"not here ('$REMOTES/tm/ssh/prebackup_live.stock')"* ]]
    [ ! -e "$SEEN" ]
}

@test "any other backup is ours" {
    run --separate-stderr "$REMOTES/tm/ssh/prebackup_live" "${WORDS[@]}" < <(vm NO)
    [ "$status" -ne 0 ]
    [ ! -e "$SEEN" ]
}
