# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of the rsync datastore: a private server, a VM's directory, and a datastore.
# BASE is its place on the server, SERVER and SERVER_USER who that is, ARGS its RSYNC_ARGS.

# shellcheck source=tests/datastore/requests.bash
source "$ROOT/tests/datastore/requests.bash"

# rsync_server_start [KEYWORD VALUE...]: for setup_file; more lines for sshd_config
rsync_server_start() {
    local line
    line=$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" "$@" --owner $$ 2>"$BATS_FILE_TMPDIR/sshd.err") ||
        { echo "SKIP: no private sshd: $(tail -n 1 "$BATS_FILE_TMPDIR/sshd.err")"; return 1; }
    eval "$line"
}
rsync_server_stop() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }

# rsync_settings: for each test
rsync_settings() {
    MAD=rsync SERVER=bk1 SERVER_USER=$(id -un) ARGS=-aS
    export VMVAULT_REMOTE_DIR=$BATS_FILE_TMPDIR/remote
    # The tree over there is ours, but for what is pushed into it.
    mkdir -p "$VMVAULT_REMOTE_DIR/datastore/rsync"
    ln -sfn "$BUILD/datastore/host" "$VMVAULT_REMOTE_DIR/datastore/host"
    ln -sfn "$BUILD/datastore/rsync/send" "$VMVAULT_REMOTE_DIR/datastore/rsync/send"
}

# store_setup: for setup(), where there is no suite that does this
store_setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    rsync_settings
    BASE=$BATS_TEST_TMPDIR/base EXTRA='' DISKS=0
    VMDIR=$BATS_TEST_TMPDIR/system/12
    FILES=$VMDIR/backup
    mkdir -p "$FILES" "$VMVAULT_CORE_DIR/datastores"
}

datastore() {
    cat <<XML
<DATASTORE><ID>100</ID><DS_MAD><![CDATA[rsync]]></DS_MAD><BASE_PATH><![CDATA[$BASE]]></BASE_PATH>
<TEMPLATE><RSYNC_HOST>$SERVER</RSYNC_HOST><RSYNC_USER>$SERVER_USER</RSYNC_USER>
<RSYNC_ARGS>$(xml_escape "$ARGS")</RSYNC_ARGS>$EXTRA</TEMPLATE></DATASTORE>
XML
}

# sftp_alone: from now on the server starts no programs
sftp_alone() {
    local ssh bin=$BATS_TEST_TMPDIR/bin
    ssh=$(command -v ssh)
    mkdir "$bin"
    # Its configuration, which libssh2 asks for, and no more.
    cat >"$bin/ssh" <<SH
#!/bin/bash
[[ " \$* " == *' -G '* || " \$* " != *$SERVER* ]] && exec '$ssh' "\$@"
echo 'exec request failed on channel 0' >&2
exit 255
SH
    chmod +x "$bin/ssh"
    PATH=$bin:$PATH
}

# backups_of VM...: their names on the server
backups_of() {
    local vm
    for vm; do
        [ ! -d "$BASE/$vm" ] || find "$BASE/$vm" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' |
            grep -xE '[0-9a-f]{6}' || true
    done
}

# leftovers VM: what is in its place and no backup
leftovers() {
    [ ! -d "$BASE/$1" ] || find "$BASE/$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -vxE '[0-9a-f]{6}' || true
}
