# SPDX-License-Identifier: Apache-2.0
# Whoever makes a backup of disks in LVM is killed at each call of a program.

load ../../tm/lvm/helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

kill_at_each_call() {   # kill_at_each_call HOW: what becomes of the program, see shim
    LIMIT=1500 there <<SCRIPT
DISKS=thin
vm_start 8
disk_write 0 'write -P 1 0 1M'
increment backup_live -1
disk_write 0 'write -P 2 4M 64k' 'discard 0 512k'
shim lvcreate lvremove lvchange lvextend dmsetup thin_delta qemu-nbd
for ((n = 1; ; n++)); do
    arm \$n $1
    step prebackup_live 0 2>/tmp/why || true
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
    kill_at_each_call dies
}

@test "killed while the program goes on: the same" {
    kill_at_each_call goes_on
}
