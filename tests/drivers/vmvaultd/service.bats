# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd: the service with its drivers, over their deaths.

load helper

setup() { service_setup; }
teardown() { service_stop; }

# most_at_a_time: backups, by the notes of their beginnings and ends
most_at_a_time() {
    awk '$1 == "begins" { n += 1; if (n > most) most = n } $1 == "ends" { n -= 1 } END { print most + 0 }' "$CALLS"
}

@test "every machine gets its backup, and never more at a time than MAX_BACKUPS" {
    machines 5
    service_start 'MAX_BACKUPS = 2
MAX_BACKUPS_HOST = 0'
    eventually eval '[ "$(grep -c ^begins "$CALLS")" -eq 2 ]'
    go
    eventually has_images 5
    [ "$(most_at_a_time)" -le 2 ]
    [ "$(grep -c ^begins "$CALLS")" -eq 5 ]
    service_end TERM
    [ "$(vmvault status --json | jq -c .problems)" = '[]' ] || { vmvault status; false; }
}

@test "a service that is killed adopts what runs, and what ended meanwhile" {
    machines 2
    service_start 'MAX_BACKUPS_HOST = 2'
    eventually called 'begins 1000000'
    eventually called 'begins 1000001'
    service_end KILL
    go 1000000   # ends while nobody is there
    eventually called 'ends 1000000'
    eventually test -e "$VMVAULT_VAR"/mad/kvm/1000000.*/result
    touch -d '1 hour ago' "$VMVAULT_VAR"/mad/kvm/1000000.*/result
    ended=$(stat -c %Y "$VMVAULT_VAR"/mad/kvm/1000000.*/result)
    service_start 'MAX_BACKUPS_HOST = 2'
    eventually has_images 1
    [ "$(sql 'SELECT ended FROM attempts WHERE vm = 1000000')" -eq "$ended" ]   # not when it was heard of
    go
    eventually has_images 2
    [ "$(calls 'begins 1000000')" -eq 1 ]
    [ "$(calls 'begins 1000001')" -eq 1 ]
}

@test "a driver that is killed is started again, and the backup is the same" {
    machines 1
    service_start
    eventually called 'begins 1000000'
    kill -KILL "$(pgrep -P "$service" -f one_vmm_exec)"
    eventually grep -q 'one_vmm_exec is gone' "$BATS_TEST_TMPDIR/log"
    go
    eventually has_images 1
    [ "$(calls 'begins 1000000')" -eq 1 ]
}

@test "what a driver has not read yet when its service is killed is begun once" {
    machines 1
    rm "$MADS/one_vmm_exec"
    cat >"$MADS/one_vmm_exec" <<SH
#!/usr/bin/env bash
# The driver, who reads an order for a backup when the test says so.
while IFS= read -r line; do
    [[ \$line != BACKUP* ]] || { : >"$FAKE/sent"; until [ -e "$FAKE/read" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done; }
    printf '%s\\n' "\$line"
done | "$BUILD/drivers/vmm/one_vmm_exec" "\$@"
: >"$FAKE/gone"
SH
    chmod 755 "$MADS/one_vmm_exec"
    service_start
    eventually [ -e "$FAKE/sent" ]
    service_end KILL
    ln -sf "$BUILD/drivers/vmm/one_vmm_exec" "$MADS/one_vmm_exec"
    service_start
    # The next driver waits, and is given up for that; or it says that it has nothing of it.
    eventually grep -qE 'one_vmm_exec is gone|it begins anew' "$BATS_TEST_TMPDIR/log"
    touch "$FAKE/read"
    eventually [ -e "$FAKE/gone" ]
    eventually called 'begins 1000000'
    go
    eventually has_images 1
    eventually nothing_kept   # whatever else was begun is over, too
    [ "$(calls 'begins 1000000')" -eq 1 ]
}

@test "when the service ends the backup goes on, and the command finds it" {
    machines 1
    service_start
    eventually called 'begins 1000000'
    service_end TERM
    run -1 --separate-stderr vmvault backup vm0
    [[ $stderr == *'still runs'* ]]
    go
    eventually called 'ends 1000000'
    # The keeper has yet to write the answer down.
    eventually eval 'vmvault recover 2>/dev/null; has_images 1'
    [ "$(calls 'begins 1000000')" -eq 1 ]
}

@test "the command and the service do not meet on a machine" {
    machines 1
    mkdir -p "$VMVAULT_VAR/vms"
    vmvault backup vm0 3>&- & command=$!
    eventually called 'begins 1000000'
    service_start
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    go
    wait "$command"
    has_images 1
}

@test "a backup that was found corrupt is none: another one is made in time" {
    machines 1
    go
    service_start
    eventually has_images 1
    [ "$(vmvault status --json | jq '.vms[0].last_backup != null')" = true ]
    sql "UPDATE increments SET damage = 'disk 0: bytes are wrong'"
    [ "$(vmvault status --json | jq '.vms[0].last_backup')" = null ]
    eventually eval '[ "$(calls "begins 1000000")" -eq 2 ]'
    eventually has_images 2
}

@test "one service for a state; wrong settings are one line" {
    machines 1
    service_start
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    run -1 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf"
    [[ $output == 'another vmvaultd works with '* ]]
    echo 'MAX_BACKUP = 5' >"$BATS_TEST_TMPDIR/wrong"
    run -2 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/wrong"
    [[ $output == *"wrong', line 1: 'MAX_BACKUP' is unknown" ]]
    run -2 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/nosuch"
    [[ $output == *"nosuch', which --config names, is not there" ]]
}

@test "what the driver has of a backup that ended is not taken for the answer of the next one" {
    machines 1
    go
    service_start
    eventually has_images 1
    eventually eval '[ "$(sql "SELECT count(*) FROM attempts WHERE ended IS NULL")" = 0 ]'
    service_stop
    # The next one is on record, and nobody has heard of it.
    run -0 "$BUILD/drivers/vmvaultd/vmvaultd" --prepare "$LIBVIRT_URI" 1000000 100 0
    for record in "$VMVAULT_VAR"/mad/kvm/1000000.*; do
        [ ! -e "$record/sent" ] || [ -e "$record/unwanted" ]
    done
    service_start
    eventually eval '[ "$(sql "SELECT error FROM attempts ORDER BY id DESC LIMIT 1")" = "interrupted before it began" ]'
}

@test "a hook hears of each backup" {
    machines 1
    printf '#!/bin/sh\ncat >>"$FAKE/heard"; echo "hook $*" >>"$CALLS"; echo told >&2; exit 3\n' >"$FAKE/hook"
    chmod 755 "$FAKE/hook"
    go
    service_start "HOOK = \"$FAKE/hook\""
    eventually called 'hook SUCCESS 1000000'
    run ! grep -q HOOK "$BATS_TEST_TMPDIR/log"
    [ "$(jq -r '[.event, .vm, .name, .image, .increment] | join(" ")' "$FAKE/heard")" = 'SUCCESS 1000000 vm0 1 0' ]
    eventually grep -qx '\[VM 1000000\]\[W\]: the hook has failed' "$BATS_TEST_TMPDIR/log"
    grep -qx '\[VM 1000000\]\[I\]: hook: told' "$BATS_TEST_TMPDIR/log"
    has_images 1
}

@test "a hook that cannot be run is told at once, not after the first backup" {
    touch "$BATS_TEST_TMPDIR/hook"
    service_start "HOOK = \"$BATS_TEST_TMPDIR/hook\""
    eventually grep -qF "[W]: cannot run the HOOK '$BATS_TEST_TMPDIR/hook': Permission denied" "$BATS_TEST_TMPDIR/log"
}

@test "a hook that talks without end holds up nobody" {
    machines 1
    printf '#!/bin/sh\ntouch "$FAKE/begun"; exec yes\n' >"$FAKE/hook"
    chmod 755 "$FAKE/hook"
    go
    service_start "HOOK = \"$FAKE/hook\""
    eventually [ -e "$FAKE/begun" ]
    vmvault vm backup vm0 -d 100
    eventually eval '[ "$(vmvault show 1 --json | jq ".increments | length")" -eq 2 ]'
    [ "$(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$service/status")" -lt 300 ]
}

@test "the log is a file where the operator wants that, each line with the number of what it is about" {
    machines 1
    service_start "LOG = [
  SYSTEM = \"file\",   # as OpenNebula has it
  FILE   = \"$BATS_TEST_TMPDIR/own\" ]"
    go
    eventually grep -qE '^[0-9-]{10} [0-9:]{8} \[VM 1000000\]\[I\]: is backed up: image 1, ' "$BATS_TEST_TMPDIR/own"
    [ ! -s "$BATS_TEST_TMPDIR/log" ] || { cat "$BATS_TEST_TMPDIR/log"; false; }
}

@test "--retention says what rules would do with each backup, and does nothing" {
    machines 1
    mkdir -p "$VMVAULT_VAR/vms"
    go
    vmvault backup vm0
    vmvault backup vm0 --full
    echo 'KEEP_LAST = 1' >"$BATS_TEST_TMPDIR/rules"
    run -0 --separate-stderr "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/rules" --retention
    [[ ${lines[0]} == 'VM 1000000 vm0: image 2 increment 0 of '*': stays: '*'(KEEP_LAST)'* ]]
    [[ ${lines[1]} == 'VM 1000000 vm0: image 1 increment 0 of '*': deleted: no rule keeps it'* ]]
    [ "${#lines[@]}" -eq 2 ]
    : >"$BATS_TEST_TMPDIR/rules"
    run -0 --separate-stderr "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/rules" --retention
    [[ $output != *deleted* ]]
    has_images 2
}

@test "without its drivers it does not begin, and names the first that is missing" {
    machines 1
    printf 'PORT = 0\nMADS_LOCATION = "/nonexistent"\n' >"$BATS_TEST_TMPDIR/conf"
    run -1 --separate-stderr timeout 60 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf"
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"'/nonexistent/one_vmm_exec' (MADS_LOCATION): No such file or directory" ]]
}

@test "it says which version it is" {
    run -0 "$BUILD/drivers/vmvaultd/vmvaultd" --version
    [[ $output =~ ^'vmvaultd '[0-9] ]]
}

@test "a service in a copy of a state does not begin, and leaves the original's backups alone" {
    machines 2
    service_start
    eventually called 'begins 1000000'
    go 1000000
    eventually has_images 1
    eventually called 'begins 1000001'
    local original=$VMVAULT_VAR
    cp -a "$VMVAULT_VAR" "$VMVAULT_VAR.copy"   # while that backup runs
    export VMVAULT_VAR=$VMVAULT_VAR.copy
    sed -i "s,$original/repo,$VMVAULT_VAR/repo," "$VMVAULT_VAR/datastores/100.xml"
    sed 's/^MONITORING/KEEP_LAST = 1\n&/' "$BATS_TEST_TMPDIR/conf" >"$BATS_TEST_TMPDIR/conf.copy"
    run -1 --separate-stderr timeout 60 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf.copy"
    [[ $stderr == *"'$VMVAULT_VAR' is a copy of '$original'"*"'vmvault adopt'"* ]]
    "$BUILD/drivers/vmvaultd/vmvaultd" --queue
    "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf.copy" --retention
    run -1 --separate-stderr vmvault recover
    run -1 --separate-stderr vmvault backup vm1
    [ "$(sql 'SELECT count(*) FROM attempts WHERE ended IS NULL')" -eq 1 ]   # it is noted as nothing else
    VMVAULT_VAR=$original
    go
    eventually has_images 2
    [ "$(calls 'begins 1000001')" -eq 1 ]
    [ "$(sql "SELECT count(*) FROM attempts WHERE error <> ''")" -eq 0 ]
    service_end TERM
    mv "$original" "$original.lost"            # nothing works with that any more
    VMVAULT_VAR=$original.copy
    vmvault adopt
    service_start 'RPO = 0'
    eventually eval '[ "$(grep -c "vmvaultd has begun" "$BATS_TEST_TMPDIR/log")" -eq 2 ]'
    service_end TERM
}
