# SPDX-License-Identifier: Apache-2.0
# A chain of a VM whose disks are thin volumes of LVM.  More of it: tests/slow/tm/lvm*.bats.

load helper.bash

setup_file() { lvm_start; }
teardown_file() { lvm_stop; }
teardown() { there vm_end; }

@test "a full and an increment of a running VM, with discards and zeros, restore to the bytes" {
    there <<'SCRIPT'
vm_start 8 4
disk_write 0 'write -P 1 0 2M' 'write -P 2 5M 4k' 'write -P 7 6M 512k'
disk_write 1 'write -P 9 0 1M'
increment backup_live -1
[ "$(snapshots)" = '0_one_backup_0 1_one_backup_0' ]

# What was there is discarded, and written with zeros: both hide it.
disk_write 0 'discard 0 512k' 'write -P 0 6M 256k' 'write -z 5M 4k' 'write -P 3 1M 128k' 'write -P 4 7M 4k'
disk_write 1 'write -P 5 2M 1M'
increment backup_live 0 SUSPEND
[ "$(result '.disks[].kind' | sort -u)" = increment ]
[ "$(result .freeze.consistent)" = true ]
[ "$(result '.disks[0].read_bytes')" -le $((640 << 10)) ]
[ "$(snapshots)" = '0_one_backup_0 0_one_backup_1 1_one_backup_0 1_one_backup_1' ]
for disk in 0 1; do restores $disk 1; done
SCRIPT
}
