# SPDX-License-Identifier: Apache-2.0
# drivers/vmm/one_vmm_exec: what it passes through, and what it answers itself.

load vmm.bash

setup() { front_with_stock; }
teardown() { stop_front; }

@test "the stock driver gets our arguments, and its answers go to the core" {
    front_start '-t 15 -r 0 kvm -p'
    [ "$(cat "$STOCK_NOTES.args")" = '-t 15 -r 0 kvm -p' ]
    tell 'ECHO  7 x'
    says '^ECHO  7 x$'
    mad_ended
    [ "$(tail -n 1 "$STOCK_NOTES")" = '(end)' ]
}

@test "a backup is ours: its log lines, its answer, and nothing for the stock driver" {
    front_start
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    diff <(grep -a '12' "$BATS_TEST_TMPDIR/said") - <<'X'
LOG I 12 Successfully execute transfer manager driver operation: prebackup_live.
LOG I 12 Successfully execute datastore driver operation: backup.
LOG I 12 Successfully execute transfer manager driver operation: postbackup_live.
BACKUP SUCCESS 12 aaaa0000 42 raw
X
    [ "$(cat "$STOCK_NOTES")" = INIT ]
    run ! grep -raqs "$(payload '<VMM' | head -c 4)" "$VMVAULT_VAR"   # no request lies about
}

# replay NAME SUFFIX: the lines that a real driver gave to this request
replay() {
    local recorded=$ROOT/tests/vmm/kvm/recorded/$1
    stores "cat '$recorded/reply'"
    [ ! -d "$REMOTES/datastore/rsync" ] || rm -r "$REMOTES/datastore/rsync"
    cp -r "$REMOTES/datastore/restic" "$REMOTES/datastore/rsync"
    heard=$(wc -l <"$BATS_TEST_TMPDIR/said")
    echo "BACKUP  2 $(tr -d '\n' <"$recorded/request")" >&"$to_mad"
    eventually eval 'tail -n "+$((heard + 1))" "$BATS_TEST_TMPDIR/said" | grep -q "^BACKUP"'
    diff <(tail -n "+$((heard + 1))" "$BATS_TEST_TMPDIR/said") - <<X
LOG I 2 Successfully execute transfer manager driver operation: prebackup$2.
LOG I 2 Successfully execute datastore driver operation: backup.
LOG I 2 Successfully execute transfer manager driver operation: postbackup$2.
BACKUP SUCCESS 2 $(cat "$recorded/reply")
X
}

@test "recorded requests are answered to the letter" {
    front_start
    replay poweroff-full ''
    replay running-full _live
    replay running-increment-1 _live
    replay rsync-poweroff-full ''
    [ "$(cat "$STOCK_NOTES")" = INIT ]
}

@test "a failure, in the words of the step" {
    stores 'echo "ERROR: restic: long story" >&2; echo "repository is locked" >&2; exit 1'
    front_start
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP FAILURE 12 repository is locked$'
    said '^LOG E 12 restic: long story$'
    said '^LOG E 12 Failed to execute datastore driver operation: backup.$'
}

@test "what is not ours goes to the stock driver, to the byte" {
    executable tm/ceph/prebackup
    executable datastore/mine/backup
    front_start
    {
        request BACKUP 13 '<BACKUPS><BACKUP_CONFIG><INTERACTIVE>YES</INTERACTIVE></BACKUP_CONFIG></BACKUPS>'
        request BACKUP 14 '' mine
        request BACKUP 15 '' restic ceph
        request BACKUP 16 '' ../datastore/restic
        request BACKUPCANCEL 17
        printf 'BACKUP  18 no/XML+at=all\nBACKUP  19\nBACKUP x y\nbackups  20 x\n\n  BACKUP  1 x\n'
        head -c 100000 /dev/urandom
        printf '\nECHO end\n'
    } >"$BATS_TEST_TMPDIR/lines"
    cat "$BATS_TEST_TMPDIR/lines" >&"$to_mad"
    says '^ECHO end$'
    cmp <(echo INIT; cat "$BATS_TEST_TMPDIR/lines") "$STOCK_NOTES"
    says '^BACKUP SUCCESS 15 stock$'
    [ ! -e "$CALLS" ]
}

@test "another hypervisor is none of our business" {
    front_start '-t 15 lxc'
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 stock$'
}

@test "lines of 10 MB pass, in both directions and also as ours" {
    stores 'echo aaaa0000 42 raw'
    front_start
    { printf 'ECHO '; head -c 10000000 /dev/zero | tr '\0' x; echo; } >"$BATS_TEST_TMPDIR/long"
    cat "$BATS_TEST_TMPDIR/long" >&"$to_mad"
    tell 'ECHO after'
    says '^ECHO after$'
    cmp "$BATS_TEST_TMPDIR/long" <(grep -a '^ECHO xx' "$BATS_TEST_TMPDIR/said")
    request BACKUP 12 "<X>$(head -c 7000000 /dev/zero | tr '\0' y)</X>" >&"$to_mad"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
}

@test "our lines never stand in the middle of the stock driver's" {
    front_start
    tell HALF
    says 'LOG I 1 ha'
    request BACKUP 12 >&"$to_mad"
    eventually grep -q 'postbackup_live' "$CALLS"
    eventually eval 'test -e "$(records)/result"'
    run ! said 'BACKUP SUCCESS'
    tell WHOLE
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    said '^LOG I 1 half$'
}

@test "EOF in the middle of a line" {
    front_start
    printf 'BACKUP  12 PFZN' >&"$to_mad"
    mad_ended
    [ "$(cat "$STOCK_NOTES")" = $'INIT\nBACKUP  12 PFZN(end)' ]
    [ ! -e "$CALLS" ]
}

@test "when the stock driver ends, we do, with its status" {
    front_start
    tell 'EXIT 3'
    status=0
    mad_ended || status=$?
    [ "$status" -eq 3 ]
}

@test "SIGTERM reaches the stock driver" {
    front_start
    kill -TERM "$mad"
    status=0
    wait "$mad" || status=$?
    mad=
    [ "$status" -eq 143 ]
    eventually is_gone "$(cat "$STOCK_NOTES.pid")"
}

@test "the stock driver is the one that was kept beside us, and it finds its program by our name" {
    local mads="$ONE_LOCATION/lib/mads"
    mkdir -p "$mads" "$ONE_LOCATION/drivers"
    cp "$BUILD/drivers/vmm/one_vmm_exec" "$mads/"
    cp "$BATS_TEST_DIRNAME/stock_vmm" "$mads/one_vmm_exec.rb"
    printf '#!/bin/bash\nfile=$(basename "$0")\nexec "$ONE_LOCATION/lib/mads/$file.rb" $* 2>/dev/null\n' >"$mads/one_vmm_exec.stock"
    chmod 755 "$mads/one_vmm_exec.stock"
    unset VMVAULT_STOCK_VMM_MAD
    BUILD=$ONE_LOCATION mad_start ../lib/mads/one_vmm_exec '-t 15 -r 0 kvm -p'
    tell INIT
    says '^INIT SUCCESS - -$'
    [ "$(cat "$STOCK_NOTES.args")" = '-t|15|-r|0|kvm|-p' ]
}

@test "a stock driver that is not there" {
    VMVAULT_STOCK_VMM_MAD=/nonexistent/x run -1 "$BUILD/drivers/vmm/one_vmm_exec" '-t 15 kvm' </dev/null
}

@test "a cancel ends the backup: both are answered, once" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    request BACKUPCANCEL 12 >&"$to_mad"
    says '^BACKUPCANCEL SUCCESS 12 -$'
    says '^BACKUP FAILURE 12 '
    said '^LOG I 12 Successfully execute datastore driver operation: backup_cancel.$'
    grep -q '^upload stopped' "$CALLS"
    grep -q '^datastore/restic/backup_cancel kvm1:/var/lib/one//datastores/0/12 one-12$' "$CALLS"
    grep -q '^tm/qcow2/postbackup_live' "$CALLS"
    [ "$(cat "$STOCK_NOTES")" = INIT ]
    [ "$(answers 12)" -eq 1 ]
}

@test "a backup that is cancelled before it has begun is cancelled, once" {
    stores_when_told
    front_start
    { request BACKUP 12; request BACKUPCANCEL 12; } >"$BATS_TEST_TMPDIR/both"
    cat "$BATS_TEST_TMPDIR/both" >&"$to_mad"
    says '^BACKUPCANCEL SUCCESS 12 -$'
    says '^BACKUP FAILURE 12 cancelled$'
    [ "$(answers 12)" -eq 1 ]
}

@test "DRIVER_CANCEL ends the backup without an answer, also after a BACKUPCANCEL" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    tell 'DRIVER_CANCEL  12 '
    eventually grep -q '^upload stopped' "$CALLS"
    eventually eval '[ -z "$(records)" ]'
    eventually stock_got '^DRIVER_CANCEL  12 $'
    [ "$(answers 12)" -eq 0 ]
}

@test "more backups than slots wait, and can be cancelled while they do" {
    stores_when_told
    front_start '-t 1 kvm'
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    request BACKUP 13 >&"$to_mad"
    request BACKUP 14 >&"$to_mad"
    eventually eval '[ "$(records | wc -l)" -eq 3 ]'
    request BACKUPCANCEL 13 >&"$to_mad"
    says '^BACKUP FAILURE 13 cancelled$'
    [ "$(grep -c '^upload waits' "$CALLS")" -eq 1 ]
    store_now
    says '^BACKUP SUCCESS 12 '
    eventually eval '[ "$(grep -c "^upload waits" "$CALLS")" -eq 2 ]'
    store_now
    says '^BACKUP SUCCESS 14 '
}
