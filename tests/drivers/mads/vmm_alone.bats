# SPDX-License-Identifier: Apache-2.0
# drivers/vmm/one_vmm_exec without OpenNebula's own driver, as the service of vmvault starts it.

load vmm.bash

setup() {
    front_with_stock
    export VMVAULT_STOCK_VMM_MAD=none
}
teardown() { stop_front; }

@test "backups are made, anything else is refused, FINALIZE ends it" {
    front_start
    request BACKUP 12 >&"$to_mad"
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    tell 'DEPLOY  7 x'
    says "^DEPLOY FAILURE 7 .*VMVAULT_STOCK_VMM_MAD is 'none'"
    request BACKUP 13 '' none-such >&"$to_mad"
    says '^BACKUP FAILURE 13 '
    tell FINALIZE
    wait "$mad"
    mad=
    [ "$(grep -c '^INIT SUCCESS' "$BATS_TEST_TMPDIR/said")" -eq 1 ]
}

@test "a backup outlives it, and the next one gives the answer" {
    stores_when_told
    front_start
    request BACKUP 12 >&"$to_mad"
    eventually waits upload
    front_dies
    front_start
    store_now
    says '^BACKUP SUCCESS 12 aaaa0000 42 raw$'
    [ "$(answers 12)" -eq 1 ]
}
