# SPDX-License-Identifier: Apache-2.0
# A backup whose steps are partly OpenNebula's own is cancelled by either side's backup_cancel
# (contract 1.8, 2.13).  The VM has a number that no other test uses: OpenNebula's driver looks for
# processes on the whole machine.

load ../helper.bash

setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var VMVAULT_REMOTES=$BUILD
    DIR='kvm1:/var/lib/one//datastores/0/4712'
    BIN=$BATS_TEST_TMPDIR/bin
    mkdir -p "$BIN"
    cp /bin/bash "$BIN/ruby"   # what ps shows of a Ruby program
}
teardown() { [ ! -e "$CALLS" ] || awk '{ print $2 }' "$CALLS" | xargs -r kill -TERM 2>/dev/null || true; }

# stock_step SCRIPT DIR DEPLOY_ID VM_ID: runs until it is stopped, and notes that
stock_step() {
    local script=$BATS_TEST_TMPDIR/remotes/$1
    mkdir -p "${script%/*}"
    cat >"$script" <<'X'
trap 'echo "stopped $$" >>"$CALLS"; kill $!; exit 255' TERM
sleep 600 >/dev/null 2>&1 &
echo "waits $$ ${0##*/} $1" >>"$CALLS"
wait
X
    "$BIN/ruby" "$script" "$2" 0:2 "$3" - "$4" 0 3>&- &
    eventually grep -q "^waits $! " "$CALLS"
    pid=$!
}
cancel() { "$BUILD/datastore/restic/backup_cancel" "$DIR" one-4712 <<<'<VM><ID>4712</ID></VM>'; }

@test "ours ends the steps of OpenNebula's drivers" {
    stock_step tm/qcow2/prebackup_live "$DIR" one-4712 4712; pre=$pid
    stock_step datastore/rsync/backup "$DIR" one-4712 4712
    run -0 --separate-stderr cancel
    [[ $stderr == 'INFO: '*'VM 4712'* ]]
    eventually is_gone "$pre"
    eventually is_gone "$pid"
    [ "$(grep -c ^stopped "$CALLS")" -eq 2 ]
}

@test "ours leaves those alone that tidy up, and those of other VMs" {
    stock_step tm/qcow2/postbackup_live "$DIR" one-4712 4712
    stock_step tm/qcow2/prebackup "${DIR}0" one-47120 47120
    stock_step datastore/restic/backup kvm1:/var/lib/one//datastores/0/471 one-471 471
    run -0 --separate-stderr cancel
    [ -z "$stderr" ]
    run ! grep -q ^stopped "$CALLS"
    for pid in $(awk '{ print $2 }' "$CALLS"); do kill -0 "$pid"; done
}

@test "theirs finds ours, and only what may be ended" {
    # A host that does not answer.
    printf '#!/bin/bash\necho "ssh $$" >>"$CALLS"\nexec sleep 600\n' >"$BIN/ssh"
    chmod 755 "$BIN/ssh"
    local vm='<VM><ID>4712</ID><LCM_STATE>70</LCM_STATE><DEPLOY_ID>one-4712</DEPLOY_ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET></DISK></TEMPLATE></VM>'
    PATH=$BIN:$PATH "$BUILD/tm/qcow2/prebackup" "$DIR" 0 one-4712 - 4712 0 <<<"$vm" 3>&- 2>/dev/null &
    pre=$!
    eventually grep -q ^ssh "$CALLS"
    # As OpenNebula's own looks for it.
    found() { ps -C ruby -o pid=,args= | grep -E "(pre)?backup(_live)? .*$1 " | awk '{ print $1 }'; }
    [ "$(found one-4712)" = "$pre" ]
    [ -z "$(found one-47120)" ]
    kill -TERM "$pre"
    status=0; wait "$pre" || status=$?
    [ "$status" -eq 143 ]
    : >"$CALLS"
    PATH=$BIN:$PATH "$BUILD/tm/qcow2/postbackup" "$DIR" 0 one-4712 - 4712 0 <<<"$vm" 3>&- 2>/dev/null &
    post=$!
    eventually grep -q ^ssh "$CALLS"
    [ -z "$(found one-4712)" ]
    kill -KILL "$post"
    wait "$post" || true
}
