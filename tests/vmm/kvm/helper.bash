# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A tree of actions whose drivers are fakes, and the messages of the core for them.

load ../../helper.bash

# What VM 12 gets in the tests: a running VM, kept on the host kvm1.
WORDS='kvm1:/var/lib/one//datastores/0/12 0:2 one-12 - 12 0'

setup_drivers() {
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR/remotes VMVAULT_VAR=$BATS_TEST_TMPDIR/var
    local driver
    for driver in tm/qcow2/{pre,post}backup{,_live} datastore/restic/{backup{,_cancel},discard}; do
        install -D "$ROOT/tests/vmm/kvm/driver" "$VMVAULT_REMOTES/$driver"
    done
    driver_does backup 'echo aaaa0000 42 qcow2'
}

# driver_does ACTION TEXT: what the fake does, in bash, once it has noted its call
driver_does() { echo "$2" >"$VMVAULT_REMOTES/$1.does"; }

# driver_waits ACTION: the fake notes "ACTION waits PID" and then does not end by itself; when it
# gets a SIGTERM, it notes "ACTION stopped"
driver_waits() {
    driver_does "$1" 'trap "echo \"$action stopped\" >>\"\$CALLS\"; kill \$!; exit 1" TERM
        sleep 600 >/dev/null 2>&1 &
        echo "$action waits $$" >>"$CALLS"
        wait'
}

waits() { grep -q "^$1 waits" "$CALLS" 2>/dev/null; }

# told_to_stop ACTION: it got the time to note that, unless it had not even come so far as to wait
told_to_stop() { ! waits "$1" || grep -qx "$1 stopped" "$CALLS"; }

# message [NAME=VALUE...]: a BACKUP message; NAME is words, tm, ds, lcm, verb, vm, last (increment
# of the image chain), source (of the newest backup; needs last), or store (the datastore's id)
message() {
    local words=$WORDS tm=qcow2 ds=restic lcm=69 verb=BACKUP vm=12 last='' chain=7 store=100 source
    [ $# -eq 0 ] || local "$@"
    cat <<XML
<VMM_DRIVER_ACTION_DATA><HOST>kvm1</HOST><TM_COMMAND><![CDATA[$verb $tm $words
]]></TM_COMMAND><VM><ID>$vm</ID><LCM_STATE>$lcm</LCM_STATE>${last:+<BACKUPS><BACKUP_CONFIG><LAST_INCREMENT_ID>$last</LAST_INCREMENT_ID><INCREMENTAL_BACKUP_ID>$chain</INCREMENTAL_BACKUP_ID>${source+<LAST_SOURCE>$source</LAST_SOURCE>}</BACKUP_CONFIG></BACKUPS>}</VM><DATASTORE><ID>$store</ID>
<DS_MAD>$ds</DS_MAD><TEMPLATE><RESTIC_PASSWORD>s3cret</RESTIC_PASSWORD></TEMPLATE></DATASTORE>
</VMM_DRIVER_ACTION_DATA>
XML
}

# backup < message: of VM 12
backup() { base64 -w 0 | timeout 90 "$BUILD/vmm/kvm/backup" 12; }

# steps: the drivers that were called, in their order
steps() { cut -d' ' -f1 "$CALLS" | paste -sd' '; }

# start_backup: of VM 12, in the background, as $backup; its output in $BATS_TEST_TMPDIR/{out,err}
start_backup() {
    message | base64 -w 0 >"$BATS_TEST_TMPDIR/request"
    "$BUILD/vmm/kvm/backup" 12 <"$BATS_TEST_TMPDIR/request" >"$BATS_TEST_TMPDIR/out" \
        2>"$BATS_TEST_TMPDIR/err" 3>&- &
    backup=$!
}

# For teardown: nothing that a test began goes on.
stop_everything() {
    [ -z "${backup-}" ] || kill -KILL "$backup" 2>/dev/null || true
    [ ! -e "$CALLS" ] || awk '$2 == "waits" { print $3 }' "$CALLS" | xargs -r kill -TERM 2>/dev/null || true
}

cancel_message() { message verb=BACKUPCANCEL "words=${WORDS%% *} one-12" "$@"; }

# plain_lines < stderr: what the core would show to the user
plain_lines() { grep -vE '^(ERROR|INFO|WARN|DEBUG):[[:space:]]' || true; }

# stdin_of N: what the Nth call got
stdin_of() { cat "$VMVAULT_REMOTES/$1.stdin"; }
