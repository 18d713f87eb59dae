# SPDX-License-Identifier: Apache-2.0
# The service and another host: its libvirt and its files are reached by ssh only, and this machine
# has no domain of its own.

load helper.bash
load ../fixtures/keepers.bash

setup_file() {
    hypervisor_start
    eval "$("$ROOT/tests/fixtures/sshd" start "$BATS_FILE_TMPDIR/ssh" --owner $$)"
    export PATH
    mkdir "$BATS_FILE_TMPDIR/mads"
    ln -s "$BUILD/drivers/vmm/one_vmm_exec" "$BUILD/drivers/datastore/one_datastore" "$BATS_FILE_TMPDIR/mads/"
    echo "<node/>" >"$BATS_FILE_TMPDIR/node.xml"
    # With ?socket= libvirt has nc on the other side join it and stdin.
    cat >"$BATS_FILE_TMPDIR/ssh/bin/nc" <<'PY'
#!/usr/bin/env python3
import os, socket, sys, threading
there = socket.socket(socket.AF_UNIX)
there.connect(sys.argv[-1])
def copy(read, write, end):
    while data := read():
        write(data)
    end()
threading.Thread(target=copy, daemon=True, args=(
    lambda: os.read(0, 65536), there.sendall, lambda: there.shutdown(socket.SHUT_WR))).start()
def out(data):
    while data:
        data = data[os.write(1, data):]
copy(lambda: there.recv(65536), out, lambda: None)
PY
    chmod 755 "$BATS_FILE_TMPDIR/ssh/bin/nc"
}
teardown_file() {
    hypervisor_stop
    "$ROOT/tests/fixtures/sshd" stop "$BATS_FILE_TMPDIR/ssh"
}
setup() {
    cd "$BATS_TEST_TMPDIR"
    EVENTUALLY=300   # real backups, each with a dozen calls of ssh
    unset SSH_CONNECTION
    export VMVAULT_VAR=$PWD/var
    "$BUILD/drivers/cli/vmvault" datastore add rsync "store:$PWD/server"
}
teardown() {
    [ -z "${service-}" ] || service_end TERM
    keepers_stop
    for name in live off; do guest_remove "$name" || true; done
    "$FIXTURES/libvirtd" stop "$BATS_FILE_TMPDIR/kvm2"
}

# service_start [LINE...]: of vmvaultd.conf; this machine's libvirt is $here, or one without domains
service_start() {
    printf '%s\n' 'PORT = 0' "MADS_LOCATION = \"$BATS_FILE_TMPDIR/mads\"" 'MONITORING_INTERVAL_HOST = 1' \
        'RETRY_INTERVAL = 1' 'DATASTORE_ID = 101' "LIBVIRT_URI = \"${here:-test://$BATS_FILE_TMPDIR/node.xml}\"" \
        "$@" >conf
    "$BUILD/drivers/vmvaultd/vmvaultd" --config conf </dev/null >>log 2>&1 3>&- &
    service=$!
    eventually grep -q 'vmvaultd has begun' log
}
service_end() {
    kill "-$1" "$service"
    wait "$service" 2>/dev/null || true
    service=
}
# remote_uri [URI]: of that libvirt, on host kvm2
remote_uri() { local uri=${1:-$LIBVIRT_DEFAULT_URI}; echo "qemu+ssh://kvm2/${uri#qemu:///}"; }
increments() { vmvault show "$1" --json 2>/dev/null | jq '.increments | length'; }
has_increments() { [ "$(increments "$1")" -eq "$2" ]; }
have_images() { [ "$(vmvault list --json 2>/dev/null | jq length)" -eq "$1" ]; }
vm_state() { vmvault vm list --csv --list NAME,STAT | sed -n "s/^$1,//p"; }
limit_of() { vmvault host list --csv --no-header --list NAME,MAX_BACKUPS | sed -n "s/^$1,//p"; }
is_state() { [ "$(vm_state "$1")" = "$2" ]; }

@test "another host: a running and a powered-off machine, an increment, a restore in place" {
    for name in live off; do
        qemu-img create -q -f qcow2 $name.qcow2 40M
        qemu-io -c "write -P ${#name} 0 8M" $name.qcow2 >/dev/null
    done
    paused_start live live.qcow2
    guest_define --no-agent off off.console off.qcow2
    service_start
    vmvault host create kvm2 --uri "$(remote_uri)"
    eventually have_images 2
    for name in live off; do
        vmvault restore "$(image_of $name)" --to to-$name
        reference ref $name.qcow2
        same_disk ref/$name.qcow2 to-$name/disk.0.qcow2
        untouched $name
    done
    [ "$(find server -name 'disk.0.0' | wc -l)" -eq 2 ]

    disk_write live 0 'write -P 77 1M 1M'
    vmvault vm backup live -d 101
    eventually has_increments "$(image_of live)" 2
    vmvault restore "$(image_of live)" --to again
    [ "$(find server -name disk.0.1 -size -3M | wc -l)" -eq 1 ]   # what has changed
    reference ref-again live.qcow2
    same_disk ref-again/live.qcow2 again/disk.0.qcow2

    reference before off.qcow2
    qemu-io -c 'write -P 99 0 8M' off.qcow2 >/dev/null
    qemu-img create -q -f qcow2 new.qcow2 8M   # a disk that it got since
    virsh -q attach-disk off "$PWD/new.qcow2" vdq --subdriver qcow2 --config
    cp new.qcow2 new.before
    vmvault vm restore off "$(image_of off)"
    eventually grep -q 'its disks are restored' log
    grep -qE '^\[VM [0-9]+\]\[W\]: restore: disk 1 of the VM is not in the backup: it stays as it is$' log
    same_disk before/off.qcow2 off.qcow2
    cmp new.before new.qcow2
}

@test "a host whose key is not known is down: what it had is unknown, says so, and goes on afterwards" {
    local known=$BATS_FILE_TMPDIR/ssh/known_hosts
    qemu-img create -q -f qcow2 off.qcow2 8M
    guest_define --no-agent off off.console off.qcow2
    service_start 'RPO = 0'
    vmvault host create unreachable
    vmvault host create kvm2 --uri "$(remote_uri)"
    run -1 --separate-stderr vmvault host create kvm3 --uri 'qemu+ssh://kvm3/system?command=/bin/false'
    [[ $stderr == *'another parameter'* ]]
    echo 'MAX_BACKUPS = 1' | vmvault host update unreachable --append
    [ "$(limit_of unreachable)" = 1 ]
    echo 'EMULATOR_CPUS = "0-1"' | vmvault host update unreachable
    [ "$(limit_of unreachable)" = '' ]
    eventually is_state off runn
    mv "$known" known
    eventually is_state off unkn
    vmvault vm backup off -d 101
    eventually eval 'vmvault queue | grep -q "which is down"'
    grep -q 'Host key verification failed' log
    mv known "$known"
    eventually have_images 1
    eventually is_state off runn
    eventually vmvault host delete kvm2
    eventually grep -q 'is not defined any more' log
    have_images 1
    [ "$(vmvault host list --csv --no-header --list NAME | sort | xargs)" = 'localhost unreachable' ]
}

# all_here_dies: the service, its drivers, and what they have started on this host, at once: sshd says of
# the others that they are its own
all_here_dies() {
    local process all=()
    for process in /proc/[0-9]*; do
        if grep -qsz "^VMVAULT_VAR=$VMVAULT_VAR\$" "$process/environ" && ! grep -qsz '^SSH_CONNECTION=' "$process/environ"; then
            all+=("${process#/proc/}")
        fi
    done
    kill -KILL "${all[@]}"
    wait "$service" 2>/dev/null || true
    service=
}
uploads() { [ "$(vmvault vm show "$1" --json 2>/dev/null | jq -r '.VM.MONITORING.STEP? // empty')" = upload ]; }

@test "the front-end dies in the middle of another host's backup: the host sees to its guest, and the next service goes on" {
    qemu-img create -q -f qcow2 live.qcow2 40M
    head -c 16M /dev/urandom >noise
    qemu-io -c 'write -s noise 0 16M' live.qcow2 >/dev/null
    paused_start live live.qcow2
    vmvault datastore add rsync "store:$PWD/slow" --set 'RSYNC_ARGS=-aS --bwlimit=100k'
    service_start 'RPO = 0'
    vmvault host create kvm2 --uri "$(remote_uri)"
    eventually is_state live runn
    vmvault vm backup live -d 102
    eventually uploads live
    all_here_dies
    disk_write live 0 'write -P 77 1M 1M'
    eventually untouched live   # the host sees to that itself

    sed -i 's/ --bwlimit=100k//' "$VMVAULT_VAR/datastores/102.xml"
    service_start 'RPO = 0'
    eventually grep -q 'the backup failed: the backup ended without a result' log
    vmvault vm backup live -d 102 --wait
    untouched live
    vmvault restore "$(image_of live)" --to to
    reference ref live.qcow2
    same_disk ref/live.qcow2 to/disk.0.qcow2
    [ "$(find slow -name 'disk.0.0*' | wc -l)" -eq 1 ]
}

@test "a machine that moves: live to another host, its chain goes on; back with another file, it begins anew" {
    local there
    "$FIXTURES/libvirtd" start "$BATS_FILE_TMPDIR/kvm2" --owner $$
    there=$("$FIXTURES/libvirtd" uri "$BATS_FILE_TMPDIR/kvm2")
    qemu-img create -q -f qcow2 live.qcow2 40M
    qemu-io -c 'write -P 5 0 16M' live.qcow2 >/dev/null
    paused_start live live.qcow2
    here=$LIBVIRT_DEFAULT_URI service_start
    vmvault host create kvm2 --uri "$(remote_uri "$there")"
    eventually have_images 1

    virsh -q migrate --live --persistent --undefinesource --unsafe live "$there" "unix://$PWD/moves"
    eventually grep -q 'is on host kvm2 now' log
    # qemu takes the disks over when the guest goes on.
    virsh -q -c "$there" resume live
    virsh -q -c "$there" suspend live
    LIBVIRT_DEFAULT_URI=$there disk_write live 0 'write -P 77 1M 1M'
    vmvault vm backup live -d 101
    eventually has_increments "$(image_of live)" 2
    run -1 grep 'hold everything' log
    [ "$(du -sm server | cut -f1)" -lt 30 ]
    vmvault restore "$(image_of live)" --to moved
    reference ref live.qcow2
    same_disk ref/live.qcow2 moved/disk.0.qcow2

    mv ref/live.qcow2 other.qcow2
    virsh -q -c "$there" dumpxml --inactive live | sed 's/live\.qcow2/other.qcow2/' | virsh -q define /dev/stdin
    LIBVIRT_DEFAULT_URI=$there guest_remove live
    eventually grep -q 'is on host localhost now' log
    vmvault vm backup live -d 101
    eventually have_images 2
    grep -q 'a new chain begins: the set of disks has changed' log
}
