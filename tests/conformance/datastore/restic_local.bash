# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# restic in a directory of this machine.
source "$ROOT/tests/conformance/restic.bash"

store_begin() { :; }
store_end() { :; }
store_settings() { restic_settings; }
unreachable() { BASE=/proc/nowhere UNREACHABLE_ERROR='repository '; }
small() { small_base; }
roomy() { roomy_base; }
