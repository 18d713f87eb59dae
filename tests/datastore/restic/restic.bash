# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by the tests of the restic datastore: a VM's directory, and a datastore.

# shellcheck source=tests/datastore/requests.bash
source "$ROOT/tests/datastore/requests.bash"

# store_setup: for setup()
store_setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache VMVAULT_RESTIC_LOCK_WAIT=20
    export VMVAULT_RESTIC_CANCEL_LIMIT=60   # a slow machine tidies up as well
    BASE=$BATS_TEST_TMPDIR/base
    VMDIR=$BATS_TEST_TMPDIR/system/12
    FILES=$VMDIR/backup
    PASSWORD=s3same
    BACKEND='<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
    EXTRA=''
    mkdir -p "$FILES" "$VMVAULT_CORE_DIR/datastores"
}

# with_repository [ID]: one that is there already, and opens fast
with_repository() {
    local ready=$BATS_FILE_TMPDIR/repository
    [ -d "$ready" ] || "$FIXTURES/restic_repository" "$ready" s3same
    if [ -n "${S3_BUCKET-}" ]; then
        (cd "$ready" && find . -type f -printf '%P\n') | while read -r file; do
            "$FIXTURES/s3" put "$S3_BUCKET/${1:-12}/$file" "$ready/$file"
        done
    else
        mkdir -p "$BASE"
        cp -r "$ready" "$BASE/${1:-12}"
    fi
}

# sftp_setup: after store_setup, the datastore is on a server, and other hosts can be reached
sftp_setup() {
    local line
    line=$("$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/sshd" --owner $$) || skip "no private sshd: $line"
    eval "$line"
    sftp_backend
}
sftp_backend() {
    BACKEND="<RESTIC_SFTP_SERVER>bk1</RESTIC_SFTP_SERVER><RESTIC_SFTP_USER>$(id -un)</RESTIC_SFTP_USER>"
}

sftp_teardown() { [ ! -d "$BATS_TEST_TMPDIR/sshd" ] || "$FIXTURES/sshd" stop "$BATS_TEST_TMPDIR/sshd"; }

# For setup_file and teardown_file: an S3 server with the bucket S3_BUCKET; for setup(): s3_backend
s3_start() {
    local lines
    # bats 1.8 takes a skip in setup_file for a failure; scripts/run-tests knows this line.
    lines=$("$FIXTURES/radosgw" start "$BATS_FILE_TMPDIR/s3" --owner $$ 2>&1) ||
        { echo "SKIP: no private S3 server: $lines"; return 1; }
    eval "$lines"
    export S3_URL S3_TLS_URL S3_CACERT S3_ACCESS_KEY S3_SECRET_KEY S3_BUCKET=vaults
    "$FIXTURES/s3" bucket $S3_BUCKET
}
s3_stop() { "$FIXTURES/radosgw" stop "$BATS_FILE_TMPDIR/s3"; }
s3_backend() {
    BACKEND="<RESTIC_BACKEND>S3</RESTIC_BACKEND><RESTIC_S3_BUCKET>$S3_BUCKET</RESTIC_S3_BUCKET>
<RESTIC_S3_ENDPOINT>${1:-$S3_URL}</RESTIC_S3_ENDPOINT>
<RESTIC_S3_ACCESS_KEY_ID>$S3_ACCESS_KEY</RESTIC_S3_ACCESS_KEY_ID>
<RESTIC_S3_SECRET_ACCESS_KEY>$(xml_escape "$S3_SECRET_KEY")</RESTIC_S3_SECRET_ACCESS_KEY>
<RESTIC_S3_FORCE_PATH_STYLE>YES</RESTIC_S3_FORCE_PATH_STYLE>"
}

datastore() {
    cat <<XML
<DATASTORE><ID>100</ID><DS_MAD><![CDATA[restic]]></DS_MAD><BASE_PATH><![CDATA[$BASE]]></BASE_PATH>
<TEMPLATE><RESTIC_PASSWORD>$(xml_escape "$PASSWORD")</RESTIC_PASSWORD>$BACKEND$EXTRA</TEMPLATE></DATASTORE>
XML
}

# restic_here ARGS...: restic itself, on the repository of REPO or VM; EXEC=exec: in our place
restic_here() {
    local id=${REPO:-${VM:-12}}
    if [ -n "${S3_BUCKET-}" ]; then
        RESTIC_PASSWORD=$PASSWORD AWS_ACCESS_KEY_ID=$S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET_KEY \
            ${EXEC-} restic -o s3.bucket-lookup=path --no-cache -q -r "s3:$S3_URL/$S3_BUCKET/$id" "$@"
    else
        RESTIC_PASSWORD=$PASSWORD ${EXEC-} restic --no-cache -q -r "$BASE/$id" "$@"
    fi
}

# snapshots: the short ids, oldest first
snapshots() { restic_here snapshots --json --no-lock | jq -r 'sort_by(.time)[].short_id'; }

# locks: those in the repository
locks() { restic_here list locks --no-lock; }

# spy_on_restic: from now on, whenever restic runs, the command lines of all processes and what limits
# it has are added to the file SPIED
spy_on_restic() {
    local bin=$BATS_TEST_TMPDIR/spy
    SPIED=$BATS_TEST_TMPDIR/spied
    mkdir "$bin"
    cat >"$bin/restic" <<SH
#!/bin/bash
{ cat /proc/[0-9]*/cmdline | tr '\0' '\n'; cat /proc/self/limits; printf 'restic argument %q\n' "\$@"; } >>'$SPIED' 2>/dev/null
exec '$(command -v restic)' "\$@"
SH
    chmod +x "$bin/restic"
    export PATH=$bin:$PATH
}
