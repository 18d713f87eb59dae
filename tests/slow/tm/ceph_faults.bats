# SPDX-License-Identifier: Apache-2.0
# A spread of what `make faults` does, with the second disk of the guest in Ceph, or with both, and a bridge.

load ../../helper.bash

# faults [VARIABLE=VALUE]...
faults() {
    run env CEPH=1 SPREAD=1 JOBS=1 "$@" "$ROOT/tests/faults/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}

@test "whatever dies or stands still: guest and chain are well, and the next backup of both storages works" { faults; }

@test "the same where a bridge reads the disks and uploads" { faults BRIDGE=1; }
