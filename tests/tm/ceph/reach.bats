# SPDX-License-Identifier: Apache-2.0
# How a cluster is reached, and what is said when it is not, or no more.

load helper.bash

setup_file() {
    hypervisor_start
    ceph_start
    rbd namespace create one/apart
    rbd create --size 24M one/one-9
    image_write one/one-9 'write -P 9 0 3M'
}

teardown_file() {
    hypervisor_stop
    ceph_stop
}

setup() {
    CHAIN=$BATS_TEST_TMPDIR/chain
    DISKS=one/one-9
    export DEPLOY_ID=''
}

teardown() {
    mon CONT
    osd CONT
    ceph osd blocklist clear >/dev/null 2>&1
    step postbackup 9
    eventually clean
}

# refuses PATTERN [DEADLINE]: a full backup fails with these words; each rbd may take so long
refuses() {
    VMVAULT_CEPH_DEADLINE=${2-60} run -1 --separate-stderr step prebackup -1 NONE FULL
    grep -v '^[A-Z]*: ' <<<"$stderr" >"$BATS_TEST_TMPDIR/said"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 1 ]
    grep -qE "$1" "$BATS_TEST_TMPDIR/said" || { echo "$stderr"; return 1; }
}

# full: it works, and leaves nothing
full() {
    image_now one/one-9 "$BATS_TEST_TMPDIR/now"
    step prebackup -1 NONE FULL
    keep 0
    step postbackup -1 NONE FULL
    eventually clean
    restores 0 0 0 "$BATS_TEST_TMPDIR/now"
    [ -z "$(snapshots one/one-9)" ]
}

# wrapped PROGRAM LINE: it is run after this line of bash, when PATH begins with bin
wrapped() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/bash\n%s\nexec %q "$@"\n' "$2" "$(command -v "$1")" >"$BATS_TEST_TMPDIR/bin/$1"
    chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

blocked() { ceph --admin-daemon "$BATS_FILE_TMPDIR/ceph/run/osd.asok" dump_blocklist | grep -q 127.0.0.1; }
not_blocked() { ! blocked; }

@test "an image in a namespace, with its data in another pool" {
    local n image=one/apart/disk
    DISKS=$image
    rbd create --size 24M --data-pool other $image
    image_write $image 'write -P 1 0 5M'
    for n in 0 1; do
        image_now $image "$BATS_TEST_TMPDIR/now.$n"
        step prebackup $((n - 1))
        keep $n
        step postbackup $((n - 1))
        restores 0 0 $n "$BATS_TEST_TMPDIR/now.$n"
        image_write $image 'write -P 2 1M 4k' 'discard 2M 1M'
    done
    [ "$(result '.disks[0] | .kind == "increment" and .read_bytes == 4096')" = true ]
    is_protected $image one_backup_1
}

@test "a key in a file: no program is given its text" {
    local key conf=$BATS_TEST_TMPDIR/conf CEPH_KEY=$BATS_TEST_TMPDIR/key
    key=$(ceph-authtool -p -n client.libvirt "$BATS_FILE_TMPDIR/ceph/keyring")
    sed 's,^keyring = .*,keyring = /nowhere,' "$CEPH_CONF" >"$conf"
    : >"$CEPH_KEY"
    CEPH_CONF=$conf refuses 'one/one-9: '
    printf '%s\n' "$key" >"$CEPH_KEY"
    wrapped rbd "echo rbd \"\$@\" >>'$BATS_TEST_TMPDIR/calls'"
    wrapped qemu-nbd "echo qemu-nbd \"\$@\" >>'$BATS_TEST_TMPDIR/calls'"
    CEPH_CONF=$conf PATH=$BATS_TEST_TMPDIR/bin:$PATH step prebackup -1 NONE FULL
    CEPH_CONF=$conf keep 0
    CEPH_CONF=$conf step postbackup -1 NONE FULL
    eventually clean
    grep -q "^rbd .*--keyfile=$CEPH_KEY" "$BATS_TEST_TMPDIR/calls"
    grep -q '^qemu-nbd .*keyfile=' "$BATS_TEST_TMPDIR/calls"
    [ -n "$key" ]
    run -1 grep -rF -- "$key" "$BATS_TEST_TMPDIR/calls" "$VM_DIR" "$CHAIN"
}

@test "a monitor that is not there, and one that stands still" {
    sed "s,^mon_host = .*,mon_host = v1:127.0.0.1:$CEPH_PORT," "$CEPH_CONF" >"$BATS_TEST_TMPDIR/conf"
    CEPH_CONF=$BATS_TEST_TMPDIR/conf refuses "one/one-9: .*(connect|timed out|did not end)" 10
    mon STOP
    refuses "one/one-9: .*(connect|timed out|did not end)" 10
    mon CONT
    full
}

@test "a monitor that stands still while the disks are read: they are read, and all goes when it answers" {
    image_now one/one-9 "$BATS_TEST_TMPDIR/now"
    step prebackup -1 NONE FULL
    mon STOP
    keep 0
    mon CONT
    step postbackup -1 NONE FULL
    eventually clean
    restores 0 0 0 "$BATS_TEST_TMPDIR/now"
    [ -z "$(snapshots one/one-9)" ]
}

@test "a host that the cluster has shut out, in the middle and at the begin" {
    step prebackup -1 NONE FULL
    ceph osd blocklist add 127.0.0.1:0/0
    eventually blocked
    run -1 cat "$VM_DIR/backup/disk.0.0"
    eventually grep -q "cannot read .*'vda'" "$VM_DIR/backup.log"
    ceph osd blocklist clear
    eventually not_blocked
    step postbackup -1 NONE FULL
    eventually clean
    ceph osd blocklist add 127.0.0.1:0/0
    eventually blocked
    refuses 'one/one-9: .*\(108\)'
    ceph osd blocklist clear
    eventually not_blocked
    full
}

@test "an OSD that stops after the snapshots: the begin ends while it stands still" {
    wrapped rbd "[[ \$* != 'diff '* ]] || kill -STOP $(<"$BATS_FILE_TMPDIR/ceph/osd.pid")"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH VMVAULT_READ_DEADLINE=4 refuses 'cannot list what .*one/one-9 .*(timed out|did not end)'
    [ "$(jq -r '.snapshots[].snapshot' "$VM_DIR/backup.journal")" = one_backup ]
    osd CONT
    eventually clean
    full
}
