# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The front of the VMM driver, with a stand-in for the stock one, the real orchestrator, and drivers
# that do what the test says.

load helper

front_with_stock() {
    front_end
    export VMVAULT_STOCK_VMM_MAD=$BATS_TEST_DIRNAME/stock_vmm STOCK_NOTES=$BATS_TEST_TMPDIR/stock
    export VMVAULT_CORE_DIR=$BATS_TEST_TMPDIR/core
    mkdir -p "$VMVAULT_CORE_DIR/vms" "$REMOTES/vmm/kvm"
    ln -s "$BUILD"/vmm/kvm/{backup,backup_cancel,recover} "$REMOTES/vmm/kvm/"
    export VMVAULT_REMOTES=$REMOTES   # the orchestrator is a link: it would take its own tree
    local name
    for name in tm/qcow2/{prebackup,postbackup}{,_live} datastore/restic/backup_cancel; do
        executable "$name" "cat >/dev/null; echo \"$name \$*\" >>\"\$CALLS\""
    done
    stores 'echo aaaa0000 42 raw'
    executable tm/qcow2/recover
    executable datastore/restic/discard 'echo "discard $*" >>"$CALLS"'
    core_says 12 69
}

# stores TEXT [PREPARATION]: what the upload does once it has noted that it is there, and before
stores() { executable datastore/restic/backup "cat >/dev/null; ${2-}
        echo \"upload waits \$\$\" >>\"\$CALLS\"; $1"; }
# stores_when_told: the upload waits until `store_now`
stores_when_told() {
    [ -p "$CALLS.go" ] || mkfifo "$CALLS.go"
    stores 'read -r <>"$CALLS.go" & wait $!; echo aaaa0000 42 raw' \
        'trap "kill \$!; echo upload stopped >>\"\$CALLS\"; echo gone >&2; exit 1" TERM'
}
store_now() { echo >"$CALLS.go"; }

# core_says ID LCM_STATE [XML]
core_says() { echo "<VM><ID>$1</ID><LCM_STATE>$2</LCM_STATE>${3-}</VM>" >"$VMVAULT_CORE_DIR/vms/$1.xml"; }
# backups LAST_INCREMENT_ID IMAGE...: what a core says that a VM has of them
backups() {
    printf '<BACKUPS><BACKUP_CONFIG><MODE>INCREMENT</MODE><LAST_INCREMENT_ID><![CDATA[%s]]></LAST_INCREMENT_ID>' "$1"
    printf '<INCREMENTAL_BACKUP_ID>%s</INCREMENTAL_BACKUP_ID></BACKUP_CONFIG><BACKUP_IDS>' "${@: -1}"
    printf '<ID>%s</ID>' "${@:2}"
    printf '</BACKUP_IDS></BACKUPS>'
}

# request VERB ID [XML] [DS] [TM]: a line for the driver
request() {
    local words="0 one-$2 - $2 0"
    [ "$1" = BACKUP ] || words="one-$2"
    printf '%s  %s %s\n' "$1" "$2" "$(payload "<VMM_DRIVER_ACTION_DATA><HOST>kvm1</HOST><TM_COMMAND><![CDATA[$1 ${5-qcow2} kvm1:/var/lib/one//datastores/0/$2 $words
]]></TM_COMMAND><VM><ID>$2</ID><LCM_STATE>69</LCM_STATE>${3-}</VM><DATASTORE><ID>100</ID><DS_MAD>${4-restic}</DS_MAD></DATASTORE></VMM_DRIVER_ACTION_DATA>")"
}

front_start() {
    local answers
    answers=$(grep -ac '^INIT' "$BATS_TEST_TMPDIR/said" 2>/dev/null) || true
    mad_start vmm/one_vmm_exec "${1--t 15 -r 0 kvm -p}"
    tell INIT
    eventually eval "[ \"\$(grep -ac '^INIT' '$BATS_TEST_TMPDIR/said')\" -gt ${answers:-0} ]"
}
# front_dies: without a word, as at a power cut of this process alone
front_dies() {
    kill -KILL "$mad"
    wait "$mad" 2>/dev/null || true
    exec {to_mad}>&-
    mad=
}
records() { find "$VMVAULT_VAR/mad/kvm" -mindepth 1 -maxdepth 1 -type d 2>/dev/null; }
keeper() { cut -d' ' -f1 "$(records)/keeper"; }
stock_got() { grep -aq -- "$1" "$STOCK_NOTES"; }
answers() { grep -ac "^BACKUP [A-Z]* $1 " "$BATS_TEST_TMPDIR/said" || true; }

# For teardown.
stop_front() {
    local file
    [ ! -p "$CALLS.go" ] || timeout 1 bash -c 'echo >"$CALLS.go"' || true
    stop_mads
    for file in "$VMVAULT_VAR"/mad/*/*/keeper; do
        [ ! -e "$file" ] || kill -TERM "$(cut -d' ' -f1 "$file")" 2>/dev/null || true
    done
}
