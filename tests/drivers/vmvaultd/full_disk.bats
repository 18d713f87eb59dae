# SPDX-License-Identifier: Apache-2.0
# The state directory of the service has no room: nothing that was accepted is lost, and when there is room
# it goes on, as whoever starts it again (systemd) finds it.

load helper

setup() {
    service_setup
    mkdir "$VMVAULT_VAR"
    mount -t tmpfs -o size=6m none "$VMVAULT_VAR" 2>/dev/null || skip 'this user may not mount'
    mkdir "$BATS_TEST_TMPDIR/bin"
    # The only other host; $there: what it has.
    there=$BATS_TEST_TMPDIR/there
    cat >"$BATS_TEST_TMPDIR/bin/ssh" <<SH
#!/bin/bash
[[ "\$*" == *virt-ssh-helper* ]] || { cat >/dev/null; exit 0; }
exec '$FIXTURES/libvirt_server' '$there'
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}
teardown() {
    service_stop
    if mountpoint -q "$VMVAULT_VAR"; then umount -l "$VMVAULT_VAR"; fi
}

has() {   # has NAME...: the other host
    local n=0 name all=()
    for name in "$@"; do
        n=$((n + 1))
        all+=('{"active": true, "uuid": "'"$(printf '11111111-2222-3333-4444-%012d' $n)"'", "name": "'"$name"'",
            "xml": "<domain><uuid>u</uuid><name>n</name></domain>"}')
    done
    (IFS=,; echo "[${all[*]}]") | tr -d '\n' >"$there.new"
    mv "$there.new" "$there"
}
fill() { head -c 20m /dev/zero >"$VMVAULT_VAR/fill" 2>/dev/null || eventually is_full 2>/dev/null; }
is_full() { ! echo more >>"$VMVAULT_VAR/rest"; }
make_room() { rm -f "$VMVAULT_VAR"/{fill,rest}; }
# begun: it answers, and has looked for machines
begun() {
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    eventually is_listed vm0
}
is_listed() { vmvault vm list --csv --no-header --list NAME | grep -qx "$1"; }
begin() { service_start "RPO = 0"; }
ended() { ! kill -0 "$service" 2>/dev/null; }

@test "hosts whose machines come, go and change while there is no room" {
    machines 1
    has web db
    begin
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    vmvault host create kvm2
    eventually is_listed db
    : >"$BATS_TEST_TMPDIR/log"
    fill
    # shellcheck disable=SC2046
    has web $(seq -f "$(printf '%0240d' 0)-%g" 3000)
    eventually ended
    local status=0
    wait "$service" || status=$?
    service=
    [ "$status" -eq 1 ]
    [ "$(grep -c 'full' "$BATS_TEST_TMPDIR/log")" -eq 1 ]
    # It is started again and again meanwhile.
    for _ in 1 2; do
        status=0
        timeout 60 "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf" </dev/null >"$BATS_TEST_TMPDIR/said" 2>&1 || status=$?
        [ "$status" -eq 1 ]
        grep -q 'full\|No space' "$BATS_TEST_TMPDIR/said"
    done
    make_room
    has web new
    begin
    eventually is_listed new
    is_listed web
    is_listed vm0
    [ "$(sql 'PRAGMA integrity_check')" = ok ]
}

@test "a backup that ends while there is no room is recorded when there is" {
    machines 1
    has
    begin
    begun
    vmvault vm backup vm0 -d 100
    eventually called 'begins 1000000'
    fill
    go
    eventually called 'ends 1000000'
    run ! has_images 1   # its answer waits, too
    make_room
    if ended; then service=; begin; fi
    eventually has_images 1
    [ "$(calls 'begins 1000000')" -eq 1 ]
    [ "$(sql 'PRAGMA integrity_check')" = ok ]
    [ "$(vmvault status --json | jq -c .problems)" = '[]' ]
}

@test "an order that there is no room for is refused, and leaves nothing" {
    machines 1
    has
    begin
    begun
    fill
    local n status=0
    # What was written before can still be written over for a while.
    for ((n = 0; n < 2000 && status == 0; n++)); do
        run --separate-stderr vmvault job create --name "job$n" --vms vm0 -d 100
    done
    [ "$status" -ne 0 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    make_room
    if ended; then service=; begin; fi
    eventually eval 'vmvault job list >/dev/null'
    eventually [ "$(vmvault job list --csv --no-header | wc -l)" -eq $((n - 1)) ]
}
