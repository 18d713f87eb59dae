# SPDX-License-Identifier: Apache-2.0
# A spread of what `make faults` does: each step of a backup, and each fault.

load ../helper.bash

@test "whatever dies, fills up or is cut off: guest and chain are well, and the next backup works" {
    # One world: others run their tests beside us.
    run env SPREAD=1 JOBS=1 "$ROOT/tests/faults/run"
    echo "$output"
    [ "$status" -ne 77 ] || skip "${output#*: cannot run here: }"
    [ "$status" -eq 0 ]
}
