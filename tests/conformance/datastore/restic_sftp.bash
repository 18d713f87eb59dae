# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# restic on a server, which is a private sshd; and the VM is on another host.
source "$ROOT/tests/conformance/restic.bash"

store_begin() {
    local line
    line=$(SSH_SHARED=1 "$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" --owner $$ 2>&1) ||
        { echo "SKIP: no private sshd: $line"; return 1; }
    eval "$line"
    export VMVAULT_REMOTE_DIR=$BUILD
}
store_end() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }
store_settings() {
    restic_settings
    sftp_backend
    HOST=node1
}
unreachable() {
    BACKEND='<RESTIC_SFTP_SERVER>unreachable</RESTIC_SFTP_SERVER>'
    UNREACHABLE_ERROR='unable to start the sftp session'
}
small() { small_base; }
roomy() { roomy_base; }
