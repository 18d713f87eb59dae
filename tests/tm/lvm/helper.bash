# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A guest with LVM in it, where the VMs of these tests are: see scenario.sh.
load ../../helper.bash

# lvm_start [--live]: for setup_file
lvm_start() {
    local why
    # bats 1.8 takes a skip in setup_file for a failure; scripts/run-tests knows this line.
    why=$("$FIXTURES/lvm_host" can "$@") || { echo "SKIP: no guest with LVM: $why"; return 1; }
    "$FIXTURES/lvm_host" start "$BATS_FILE_TMPDIR/host" "$BUILD" --owner $$ "$@"
    [ $# -gt 0 ] || there machine_start
}
lvm_stop() { "$FIXTURES/lvm_host" stop "$BATS_FILE_TMPDIR/host"; }

# there [SCRIPT]: a script there, or that on stdin; what it says is shown if it fails
there() { "$FIXTURES/lvm_host" run "$BATS_FILE_TMPDIR/host" "$@"; }
