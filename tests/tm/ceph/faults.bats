# SPDX-License-Identifier: Apache-2.0
# What goes wrong with disks in Ceph is said in time, and leaves nothing behind.

load helper.bash

setup_file() {
    hypervisor_start
    ceph_start
    rbd create --size 24M $VOLATILE
    rbd create --size 24M one/one-9
    image_write $VOLATILE 'write -P 1 0 3M'
    guest_define --no-agent lab "$BATS_FILE_TMPDIR/console" rbd:one/one-9 rbd:$VOLATILE
    virsh -q start lab --paused
}

teardown_file() {
    hypervisor_stop
    ceph_stop
}

setup() { DISKS='one/one-9 volatile:one'; }

teardown() {
    osd CONT
    forget_after 30
    full_at 0.85 0.9 0.95
    step postbackup_live 9
    eventually clean
}

# fails NAME ARGS...: with one line and these words in it
fails() {
    local words=$1
    shift
    run -1 --separate-stderr step "$@"
    grep -v '^[A-Z]*: ' <<<"$stderr" >"$BATS_TEST_TMPDIR/said" || true
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 1 ]
    grep -qE "$words" "$BATS_TEST_TMPDIR/said" || { echo "$stderr"; return 1; }
}

# works PARENT: a whole backup, and its snapshots are those that are needed
works() {
    step prebackup_live "$1"
    cat "$VM_DIR"/backup/disk.* >/dev/null
    step postbackup_live "$1"
    eventually clean
    [ "$(snapshots $VOLATILE)" = "one_backup_$(($1 + 1))" ] ||
        [ "$(snapshots $VOLATILE)" = "one_backup_$1 one_backup_$(($1 + 1))" ]
}

# forget_after SECONDS: so long the cluster waits for a client that was killed
forget_after() { ceph --admin-daemon "$BATS_FILE_TMPDIR/ceph/run/osd.asok" config set osd_client_watch_timeout "$1" >/dev/null; }
watchers() { rbd status --format json "$1" | jq '.watchers | length'; }
watched_by() { [ "$(watchers one/one-9)" = "$1" ]; }
only_the_guest_watches() { [ "$(watchers one/one-9)" = 1 ] && [ "$(watchers $VOLATILE)" = 1 ]; }
journal() { jq -r "$1" "$VM_DIR/backup.journal"; }
# rbd_after LINE: $BIN/rbd, the program behind this line of bash
rbd_after() {
    BIN=$BATS_TEST_TMPDIR/bin
    mkdir "$BIN"
    printf '%s\n' '#!/bin/bash' "$1" "exec '$(command -v rbd)' \"\$@\"" >"$BIN/rbd"
    chmod +x "$BIN/rbd"
}

alone() { [ "$(snapshots one/one-9)" = "$1" ] && [ "$(snapshots $VOLATILE)" = "$1" ]; }

@test "a user who may not use the pool, and one who is not there" {
    CEPH_USER=stranger fails "of the Ceph image one/one-9: .*(denied|not permitted)" prebackup_live -1
    CEPH_USER=nobody fails "of the Ceph image one/one-9: .*connect" prebackup_live -1
    CEPH_USER='a b' run -2 step prebackup_live -1
    eventually clean
    works -1
}

@test "an image that was renamed, or that the domain does not run on" {
    works -1
    DISKS='one/one-10 volatile:one' fails "'one/one-9' as 'vda'" prebackup_live 0
    rbd mv one/one-9 one/gone
    fails "one/one-9: .*No such file" prebackup_live 0
    rbd mv one/gone one/one-9
    DISKS='one/one@9 volatile:one' run -2 step prebackup_live 0
    works 0
}

@test "a cluster that is full: an error within the deadline" {
    works -1
    full_at 0.00001 0.00002 0.00003
    eventually is_full
    VMVAULT_CEPH_DEADLINE=4 fails 'one/one-9: .*(timed out|did not end)' prebackup_live 0
    full_at 0.85 0.9 0.95
    eventually is_not_full
    eventually clean
    alone one_backup_0
    works 0
}

@test "an OSD that stands still before the snapshots: an error, and what came of them goes later" {
    works -1
    osd STOP
    VMVAULT_CEPH_DEADLINE=4 fails '(timed out|did not end|not done)' prebackup_live 0
    osd CONT
    eventually clean
    alone one_backup_0
    works 0
}

@test "an OSD that stops in the middle of the upload: reads fail in time, and the next backup works" {
    works -1
    VMVAULT_READ_DEADLINE=8 step prebackup_live -1
    osd STOP
    run -1 cat "$VM_DIR/backup/disk.1.0"
    eventually grep -q "cannot .*'vdb'" "$VM_DIR/backup.log"
    osd CONT
    step postbackup_live -1
    eventually clean
    works -1
}

@test "a cluster that does not answer at the end of a full backup: its snapshots go when it does" {
    # Not so soon that the removal has given up meanwhile.
    printf 'CEPH_DEADLINE=100\n' >"$BATS_TEST_TMPDIR/host.conf"
    VMVAULT_HOST_CONF=$BATS_TEST_TMPDIR/host.conf step prebackup_live -1 NONE FULL
    cat "$VM_DIR"/backup/disk.* >/dev/null
    osd STOP
    run -0 --separate-stderr step postbackup_live -1 NONE FULL
    [[ $stderr == *'the snapshots of its backup are removed later'* ]]
    [ ! -e "$VM_DIR/backup" ]
    [ "$(jq -c '[.snapshots[].snapshot] | unique' "$VM_DIR/backup.journal")" = '["one_backup"]' ]
    osd CONT
    eventually clean
    alone ''
    works -1
}

@test "killed with its snapshots half made: they go, and nothing else" {
    works -1
    local pid
    rbd_after "[[ \"\$*\" != *'snap create'*one-sys-* ]] || { touch '$BATS_TEST_TMPDIR/half'; exec sleep 600; }"
    PATH=$BIN:$PATH step prebackup_live 0 NONE FULL 3>&- 2>/dev/null &
    pid=$!
    eventually test -e "$BATS_TEST_TMPDIR/half"
    kill -KILL "$(jq .pid "$VM_DIR/backup.journal")"
    if wait $pid; then false; fi
    eventually clean
    # A rbd that was at work then may end after its guard has looked; the next backup finds that.
    works -1
}

@test "killed before it holds the qemu-nbd that it has started: that one ends as well" {
    local bin=$BATS_TEST_TMPDIR/bin pid
    mkdir "$bin"
    cat >"$bin/qemu-nbd" <<SH
#!/bin/bash
[ \$PPID != 1 ] || exit 1
kill -STOP \$PPID
# With --fork it returns when it serves.
'$(command -v qemu-nbd)' --fork "\$@"
for ((n = 1; n < \$#; n++)); do
    [ "\${!n}" != --pid-file ] || { n=\$((n + 1)); cat "\${!n}" >>'$BATS_TEST_TMPDIR/servers'; }
done
kill -KILL \$PPID
SH
    chmod +x "$bin/qemu-nbd"
    PATH=$bin:$PATH run ! step prebackup_live -1 NONE FULL
    eventually clean
    [ -s "$BATS_TEST_TMPDIR/servers" ]
    while read -r pid; do eventually is_gone "$pid"; done <"$BATS_TEST_TMPDIR/servers"
}

@test "killed while the qemu-nbd that it has started opens its image: that one ends as well" {
    local bin=$BATS_TEST_TMPDIR/bin pid dir
    mkdir "$bin"
    printf '%s\n' '#!/bin/bash' "kill -STOP $(<"$BATS_FILE_TMPDIR/ceph/osd.pid")" "echo \$\$ >>'$BATS_TEST_TMPDIR/servers'" \
        "exec '$(command -v qemu-nbd)' \"\$@\"" >"$bin/qemu-nbd"
    chmod +x "$bin/qemu-nbd"
    PATH=$bin:$PATH step prebackup_live -1 NONE FULL 3>&- 2>/dev/null &
    pid=$!
    eventually test -s "$BATS_TEST_TMPDIR/servers"
    dir=$(journal '.scratch[0]')
    eventually compgen -G "$dir/*.sock" >/dev/null
    kill -KILL "$(journal .pid)"
    if wait $pid; then false; fi
    eventually test ! -e "$dir"
    osd CONT
    while read -r pid; do eventually is_gone "$pid"; done <"$BATS_TEST_TMPDIR/servers"
    eventually clean
}

@test "nobody watches the images any more, however a backup ends: the cluster would wait for him" {
    forget_after 3600
    step prebackup_live -1
    kill -KILL "$(journal .exporter)"
    eventually only_the_guest_watches
    step prebackup_live -1
    kill -KILL "$(journal .guard)" "$(journal .exporter)"
    step postbackup_live -1
    eventually only_the_guest_watches
    # The cluster is slow just then.
    step prebackup_live -1
    osd STOP
    step postbackup_live -1
    osd CONT
    eventually only_the_guest_watches
}

@test "Ceph waits for a client that was killed: before the guest stands still, not meanwhile" {
    local pid
    works -1
    # Who lives has the image open as one who is dead, until he hears a line.
    mkfifo "$BATS_TEST_TMPDIR/line"
    rbd watch one/one-9 <"$BATS_TEST_TMPDIR/line" >"$BATS_TEST_TMPDIR/watch" 2>&1 3>&- &
    exec 4>"$BATS_TEST_TMPDIR/line"
    eventually watched_by 2
    rbd_after "[[ \"\$*\" != *'snap create'* ]] ||
        '$(command -v rbd)' status --format json one/one-9 | jq '.watchers | length' >>'$BATS_TEST_TMPDIR/at_snapshot'"
    PATH=$BIN:$PATH step prebackup_live 0 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    pid=$!
    eventually grep -q 'was killed: waiting' "$BATS_TEST_TMPDIR/err"
    [ ! -e "$BATS_TEST_TMPDIR/at_snapshot" ]
    echo >&4
    exec 4>&-
    wait $pid
    [ "$(xargs <"$BATS_TEST_TMPDIR/at_snapshot")" = '1 1' ]
    step postbackup_live 0
}

@test "what a full backup that died left goes with recover, when the cluster is back" {
    step prebackup_live -1 NONE FULL
    alone one_backup
    kill -STOP "$(jq .guard "$VM_DIR/backup.journal")"
    kill -KILL "$(jq .guard "$VM_DIR/backup.journal")"
    eventually clean
    alone ''
}
