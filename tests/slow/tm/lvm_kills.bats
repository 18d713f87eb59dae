# SPDX-License-Identifier: Apache-2.0
# Whoever makes a backup of disks in LVM is killed, or cancelled, at each call of a program, or that fails.

load ../../tm/lvm/helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

# at_each_call HOW LINE...: see shim; the lines attempt a backup, whose words go to /tmp/why
at_each_call() {
    LIMIT=1500 there <<SCRIPT
DISKS=thin
vm_start 8
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
disk_write 0 'write -P 2 4M 64k' 'discard 0 512k'
cat "\$(device 0)" >/tmp/ref.0.1
shim lvcreate lvremove lvchange lvextend lvs dmsetup thin_delta qemu-nbd
for ((n = 1; ; n++)); do
    arm \$n $1
    $(printf '%s\n' "${@:2}")
    step postbackup_live 0 2>>/tmp/why
    if armed; then break; fi
    step postbackup_live 0
    clean
    # The own one stays where the backup was made and only its end was cut off.
    case \$(snapshots) in
        0_one_backup_0 | '0_one_backup_0 0_one_backup_1') ;;
        *) fail "call \$n: \$(snapshots)" ;;
    esac
done
disarm
[ \$n -gt 8 ]
increment backup_live 0
restores 0 1
SCRIPT
}

@test "killed with the program: nothing is held, nothing is active, and the next backup works" {
    at_each_call dies 'step prebackup_live 0 2>/tmp/why || true'
}

@test "killed while the program goes on: the same" {
    at_each_call goes_on 'step prebackup_live 0 2>/tmp/why || true'
}

@test "a program that fails: its words, in a line, or a backup with the right bytes" {
    # shellcheck disable=SC2016
    at_each_call fails 'if step prebackup_live 0 2>/tmp/why; then cp $VM_DIR/backup/disk.0.1 $CHAIN; restores 0 1
        elif [ "$(grep -vc "^[A-Z]*: " /tmp/why)" != 1 ] || ! grep -q "a broken program" /tmp/why; then fail "$(cat /tmp/why)"; fi'
}

@test "a cancel while a program runs: the step says so, and nothing is held or active" {
    # shellcheck disable=SC2016
    at_each_call waits 'step prebackup_live 0 2>/tmp/why & pid=$!' \
        'until [ -e /tmp/waits ] || ! kill -0 $pid 2>/dev/null; do usleep 100000; done' \
        'if [ -e /tmp/waits ]; then kill -TERM "$(cut -d" " -f1 $VMVAULT_VAR/running/$VM_ID.prebackup)"; fi' \
        'touch /tmp/go_on' \
        'if wait $pid; then armed || fail "call $n: not cancelled"; else grep -q "^cancelled" /tmp/why || fail "$(cat /tmp/why)"; fi'
}
