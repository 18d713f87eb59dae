# SPDX-License-Identifier: Apache-2.0
# A guest with its system in a file and its data in LVM, as it runs: one backup, of one point in time.

load ../../tm/lvm/helper.bash

setup_file() {
    lvm_start --live
    LIMIT=1200 there 'live_start; watch_snapshots'
}
teardown_file() { lvm_stop; }
teardown() { there 'rm -f /tmp/no_snapshots /tmp/killer /tmp/meanwhile; step postbackup_live 9 2>/dev/null'; }

@test "frozen by the agent, or suspended: both disks are of one point in time" {
    LIMIT=1200 there <<'SCRIPT'
taken -1 AGENT
[ "$(meanwhile)" = frozen ]
[ "$(result .freeze.consistent)" = true ]
[ "$(result '[.disks[].format] | join(" ")')" = 'qcow2 lvm' ]
works
taken 0 SUSPEND
[ "$(meanwhile)" = paused ]
[ "$(result .freeze.consistent)" = true ]
[ "$(result '[.disks[].kind] | join(" ")')" = 'increment increment' ]
works
taken 1 NONE
[ "$(meanwhile)" = paused ]
[ "$(result .freeze.consistent)" = false ]
[ "$(snapshots)" = '1_one_backup_1 1_one_backup_2' ]
works
for n in 0 1 2; do whole $n $n; done
if whole 0 2; then fail 'disks of two points in time are told from those of one'; fi
SCRIPT
}

@test "MULTI_STORE_SUSPEND=NO: the guest is not suspended, and the result says what that means" {
    there <<'SCRIPT'
VMVAULT_MULTI_STORE_SUSPEND=NO step prebackup_live -1
[ "$(meanwhile)" = thawed ]
[[ $(result .freeze.why) == *'not of one point in time'* ]]
SCRIPT
}

@test "what cannot be had of both disks is refused" {
    there <<'SCRIPT'
if INCREMENT_MODE=SNAPSHOT step prebackup_live -1 2>/tmp/why; then fail 'not refused'; fi
grep -q 'whose disk 1 is in LVM: use CBT' /tmp/why
clean
SCRIPT
}

@test "LVM makes no snapshot, or whoever asks is killed: the job of the file ends, and the guest goes on" {
    LIMIT=1200 there <<'SCRIPT'
only_the_parents() { [ "$(snapshots)" = 1_one_backup_0 ]; }
taken -1 SUSPEND
rm /tmp/meanwhile
for harm in no_snapshots killer; do
    for freeze in AGENT SUSPEND; do
        touch /tmp/$harm
        if step prebackup_live 0 $freeze 2>/tmp/why; then fail "$harm: not noticed"; fi
        rm /tmp/$harm
        [ $harm = killer ] || grep -q 'cannot make the snapshot' /tmp/why || fail "$(cat /tmp/why)"
        works   # nobody has asked for it
        step postbackup_live 0 $freeze
        clean
        [[ $(virsh -q domjobinfo lab) == *None* ]]
        eventually only_the_parents
    done
done
[ "$(meanwhile | sort | xargs)" = 'frozen frozen paused paused' ]
SCRIPT
}
