# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A front-end with OpenNebula's layout and stand-ins for what is not ours, on which install.sh was run;
# a host and a backup server, reached by ssh; and the part of the core, played by ./core.

load ../helper.bash
# shellcheck source=tests/fixtures/keepers.bash
source "$ROOT/tests/fixtures/keepers.bash"

# As odd as paths may be: those of the datastores are words of a command and parts of a URL, and
# OpenNebula's downloader.sh can do with no quotes.
export ONE_LOCATION="${BATS_FILE_TMPDIR:-}/one front"
STORES="${BATS_FILE_TMPDIR:-}/o+d=d,@1%20~/datastores"
VMDIR="$STORES/101/2"
RECORDED=${BATS_TEST_DIRNAME:-}/recorded
export CORE_MAP=${BATS_FILE_TMPDIR:-}/map ONED=${BATS_FILE_TMPDIR:-}/oned REMOTES=$ONE_LOCATION/var/remotes

# front_end_start: for setup_file; with NO_SSH, host and server are this machine
front_end_start() {
    local line
    hypervisor_start
    if [ -z "${NO_SSH-}" ]; then
        line=$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" --owner $$)
        eval "$line"
    fi
    line=$("$FIXTURES/oned" start "$ONED" --owner $$)
    eval "$line"
    export VMVAULT_REMOTE_DIR=$REMOTES XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache VMVAULT_RESTIC_LOCK_WAIT=60
    export VMVAULT_RESTIC_CANCEL_LIMIT=60   # a slow machine has time to tidy up
    stock
    stage "$BATS_FILE_TMPDIR/stage"
    "$ROOT/install.sh" --from "$BATS_FILE_TMPDIR/stage" --mads >"$BATS_FILE_TMPDIR/install.log"
    rm -r "$BATS_FILE_TMPDIR/stage"
    printf '%s\t%s\n' >"$CORE_MAP" /var/lib/one//datastores "${STORES%/*}//datastores" \
        /var/lib/one/datastores "$STORES" \
        '<RESTIC_SFTP_USER><![CDATA[oneadmin]]>' "<RESTIC_SFTP_USER><![CDATA[$(id -un)]]>" \
        '<RSYNC_USER><![CDATA[oneadmin]]>' "<RSYNC_USER><![CDATA[$(id -un)]]>"
    [ -z "${NO_SSH-}" ] || printf '%s\t%s\n' >>"$CORE_MAP" node1 localhost bkp1 localhost \
        '<RESTIC_SFTP_SERVER><![CDATA[bkp1]]></RESTIC_SFTP_SERVER>' '<RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>'
    # What users write.
    printf '%s\t%s\n' >>"$CORE_MAP" '<NAME>vm1</NAME>' "<NAME>it's \"a\" VM &amp; \$(more) &lt;of&gt; it</NAME>" \
        '<USER_TEMPLATE/>' "<USER_TEMPLATE><NOTE><![CDATA[two\\nlines, \"quoted\" & 'quoted', \$HOME \`id\`]]></NOTE></USER_TEMPLATE>" \
        '"\nNAME= "2-' "\"\\nNOTE= \"two\\nlines, \\\"quoted\\\" & 'quoted', \$HOME \`id\`\"\\nNAME= \"2-"
    # Of what went before, the core awaits no answer any more.
    for line in 2 3; do echo "<VM><ID>$line</ID><LCM_STATE>3</LCM_STATE></VM>" >"$ONED/vms/$line.xml"; done
    for line in 102:03-restic-off-full 103:15-rsync-off-full; do
        document "${line#*:}" | xmllint --xpath '/*/DATASTORE' - >"$ONED/datastores/${line%%:*}.xml"
    done
}
front_end_stop() {
    end_backups
    [ ! -d "$ONED" ] || "$FIXTURES/oned" stop "$ONED"
    [ ! -d "$BATS_FILE_TMPDIR/sshd" ] || "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"
    hypervisor_stop
}

# end_backups: for after a failure: a backup outlives its driver
end_backups() {
    local file
    for file in "$VMVAULT_VAR"/mad/kvm/*/keeper; do
        [ ! -e "$file" ] || kill "$(cut -d' ' -f1 "$file")" 2>/dev/null || true
    done
    eventually nothing_kept || true
}

# stage DIR: what `install.sh --stage` makes, without make, which writes into the build tree: it is not ours
# alone
stage() {
    local name
    mkdir -p "$1"/{remotes,prefix,mads}
    (cd "$BUILD" && find datastore tm vmm -type l -print0 -o -type f -perm -u+x -not -name '*.o' -print0) |
        while IFS= read -rd '' name; do
            mkdir -p "$1/remotes/${name%/*}"
            if [ -L "$BUILD/$name" ]; then cp -P "$BUILD/$name" "$1/remotes/$name"; else
                strip -o "$1/remotes/$name" "$BUILD/$name"
            fi
        done
    for name in datastore/one_datastore tm/one_tm vmm/one_vmm_exec; do
        strip -o "$1/mads/${name#*/}" "$BUILD/drivers/$name"
    done
}

# stock: of OpenNebula, what these flows come across
stock() {
    local name
    mkdir -p "$REMOTES"/{datastore/fs,tm/qcow2} "$ONE_LOCATION"/{lib/mads,etc} "$STORES"/{100,102,103}
    export STOCK_NOTES=$BATS_FILE_TMPDIR/stock
    for name in one_vmm_exec one_datastore one_tm; do
        printf '#!/bin/bash\nexec "%s/tests/drivers/mads/stock_vmm" "$@"\n' "$ROOT" >"$ONE_LOCATION/lib/mads/$name"
    done
    printf '#!/bin/bash\nprintf "USED_MB=1\\nFREE_MB=2\\nTOTAL_MB=3\\n"\n' >"$REMOTES/datastore/fs/monitor"
    printf '#!/bin/bash\necho USED_MB=1 FREE_MB=2 TOTAL_MB=3\n' >"$REMOTES/tm/qcow2/monitor"
    cat >"$REMOTES/datastore/fs/cp" <<'SH'
#!/bin/bash
xml=$(base64 -d)
value() { xmllint --xpath "string(//$1)" - <<<"$xml"; }
from=$(value IMAGE/PATH)
to=$(value DATASTORE/BASE_PATH)/$(md5sum <<<"$from" | cut -c 1-32)
echo "INFO: cp: Copying local image $from to the image repository" >&2
"$(dirname "$0")/../downloader.sh" "$from" "$to" || exit
echo "$to $(qemu-img info --output=json "$to" | jq -r .format)"
SH
    cp "$FIXTURES/downloader.sh" "$REMOTES/datastore/"
    chmod -R a+x "$REMOTES"/{datastore,tm} "$ONE_LOCATION/lib/mads"
}

# document SESSION: the first that the core sent there, as it is here
document() {
    local text
    text=$(grep -om 1 '^[a-z]*> [A-Z]*  [0-9]* <.*' "$RECORDED/$1" | cut -d'<' -f 2-)
    python3 - "<$text" <<'PY'
import os, sys
text = sys.argv[1]
pairs = [line.rstrip('\n').split('\t') for line in open(os.environ['CORE_MAP'], encoding='utf-8')]
for then, now in sorted(pairs, key=lambda pair: -len(pair[0])):
    text = text.replace(then, now)
print(text.replace('\\n', '\n'), end='')
PY
}

# core SESSION...: plays them
core() { (cd "$RECORDED" && "$BATS_TEST_DIRNAME/core" "$@"); }

# session < LINES: plays what the test has written
session() {
    cat >"$BATS_TEST_TMPDIR/session"
    core "$BATS_TEST_TMPDIR/session"
}
# recorded SESSION WORDS: the line for a driver that begins so
recorded() { grep -m 1 "^[a-z]*> $2 " "$RECORDED/$1"; }

# learned ID: what an id that was recorded is here
learned() { awk -F '\t' -v id="$1" '$1 == id { found = $2 } END { print found }' "$CORE_MAP"; }

# vm_disk DIR: where OpenNebula's driver lays the first disk of a VM
vm_disk() {
    mkdir -p "$1/disk.0.snap"
    qemu-img create -q -f qcow2 "$1/disk.0.snap/0" 1G
    head -c 3M /dev/urandom >"$BATS_FILE_TMPDIR/random"
    qemu-io -f qcow2 -c "write -q -s $BATS_FILE_TMPDIR/random 1M 3M" "$1/disk.0.snap/0"
    ln -s disk.0.snap/0 "$1/disk.0"
    ln -s . "$1/disk.0.snap/disk.0.snap"
}

# vm_on ID UUID: the VM runs, and does nothing by itself
vm_on() {
    local dir="${STORES%/*}//datastores/101/$1" disk="$BATS_FILE_TMPDIR/disk"
    [ -e "$disk" ] || qemu-img create -q -f qcow2 "$disk" 1M
    "$FIXTURES/domain" --guest "$GUEST" --uuid "$2" --no-agent "one-$1" "$BATS_FILE_TMPDIR/console.$1" "$disk" |
        DISK="$dir/disk.0" python3 -c '
import os, sys
from xml.sax.saxutils import quoteattr
print(sys.stdin.read().replace(f"file={sys.argv[1]!r}", "file=" + quoteattr(os.environ["DISK"])))' "$disk" \
            >"$BATS_FILE_TMPDIR/domain.xml"
    virsh -q create --paused "$BATS_FILE_TMPDIR/domain.xml"
}
# vm_off ID: as OpenNebula powers off, if it is on: libvirt knows nothing of it any more
vm_off() { virsh -q list --name | grep -qx "one-$1" || return 0; virsh -q destroy "one-$1"; }

checkpoints() { virsh -q checkpoint-list "one-$1" --name | sed '/^$/d' | paste -sd' '; }

# as_before ID: of the backup, nothing is left on the host but what vmvault keeps for the next
as_before() { eventually nothing_left "$1" || { ls -la "$STORES/101/$1"; return 1; }; }
nothing_left() {
    [ -z "$(find "$STORES/101/$1" -mindepth 1 -not -name 'disk.0*' -not -path '*/disk.0.snap/*' -not -name 'backup.l*' \
        -not -name backup.result -not -name backup.marks)" ]
}

# restic_there ID ARGS...: restic itself, on the server's repository of that VM or job
restic_there() { RESTIC_PASSWORD=s3same restic --no-cache -q -r "$STORES/102/$1" "${@:2}"; }
