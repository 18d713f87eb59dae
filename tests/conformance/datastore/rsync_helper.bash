# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# rsync, where our helper runs on the server.
source "$ROOT/tests/conformance/rsync.bash"
