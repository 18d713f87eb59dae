# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# rsync, where the server allows nothing but SFTP.  The host of the VM is this machine.
source "$ROOT/tests/conformance/rsync.bash"

store_begin() { rsync_server_start ForceCommand internal-sftp; }
store_settings() { rsync_settings; }
