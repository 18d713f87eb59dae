# SPDX-License-Identifier: Apache-2.0
# A spread of what `make faults` does, with the second disk of the guest in Ceph.

load ../../helper.bash

@test "whatever dies or stands still: guest and chain are well, and the next backup of both storages works" {
    run env CEPH=1 SPREAD=1 JOBS=1 "$ROOT/tests/faults/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}
