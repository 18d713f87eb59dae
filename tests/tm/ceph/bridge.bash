# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A VM whose disks are read on a bridge (BRIDGE).  Bridges are hosts with a view of their own of the file
# system: there, other hosts' directories of VMs, states and libvirts are not.  This machine is the VM's
# host, by ssh as "kvm1".
load helper.bash

VMS=${BATS_FILE_TMPDIR:-}/vms   # one of each bridge, and one of all others
VM_DIR=$VMS/$VM_ID

# For setup_file, the last of all: the hosts bridge1 and bridge2
bridges_start() {
    local host dir=$BATS_FILE_TMPDIR
    can_unshare || { echo 'SKIP: no mount namespaces here'; return 1; }
    export VMVAULT_REMOTE_DIR=$dir/remote VMVAULT_VAR=$dir/var
    mkdir -p "$VM_DIR" "$VMVAULT_VAR" "$dir/virt" "$dir/bin" "$dir/remote/datastore/rsync"
    # The tree over there is ours, but for what is pushed into it.
    ln -s "$BUILD/tm" "$dir/remote/"
    ln -s "$BUILD/datastore/host" "$dir/remote/datastore/"
    ln -s "$BUILD/datastore/rsync/send" "$dir/remote/datastore/rsync/"
    "$FIXTURES/sshd" start "$dir/ssh-kvm1" --owner $$ >/dev/null
    for host in bridge1 bridge2; do
        unshare -m --propagation private bash -c 'for at in "${@:3}"; do mount -t tmpfs none "$at"; done
            exec "$1" start "$2" --owner '$$ _ "$FIXTURES/sshd" "$dir/ssh-$host" "$VMS" "$VMVAULT_VAR" "$dir/virt" >/dev/null
    done
    # By the host that is behind --.
    cat >"$dir/bin/ssh" <<SH
#!/bin/bash
for ((n = 1; n < \$#; n++)); do [ "\${!n}" != -- ] || break; done
n=\$((n + 1)) host=\${!n}
[ -d '$dir'/ssh-"\$host" ] || host=kvm1
exec '$dir'/ssh-\$host/bin/ssh "\$@"
SH
    chmod +x "$dir/bin/ssh"
    export PATH=$dir/bin:$PATH
}
bridges_stop() {
    local dir
    for dir in "$BATS_FILE_TMPDIR"/ssh-*; do "$FIXTURES/sshd" stop "$dir"; done
}

teardown_file() {
    bridges_stop
    hypervisor_stop
    ceph_stop
}

# bridge_setup: for setup: VM 77 has two disks in Ceph, and bridge1 reads them
bridge_setup() {
    CHAIN=$BATS_TEST_TMPDIR/chain
    DISKS='one/one-9 volatile:one'
    BRIDGE=bridge1
}

# bridge_teardown STEP: for teardown, with the step that ends a backup: on no host anything is left
bridge_teardown() {
    for BRIDGE in '' bridge1 bridge2; do step "$1" 9 || true; done
    eventually is_nothing_left || { left; return 1; }
    no_snapshots $VOLATILE
    no_snapshots one/one-9
}

# on HOST COMMAND...: there, as its own programs see it
on() { nsenter -m -t "$(<"$BATS_FILE_TMPDIR/ssh-$1/pid")" -- "${@:2}"; }

# on_bridge COMMAND...: on the one of this backup
on_bridge() { on "$BRIDGE" "$@"; }

# taken STEP PARENT [ARGS]: a backup that is uploaded, from the bridge, which keeps nothing, nor does the VM's host
taken() {
    local own=$(($2 + 1))
    [[ ${4-} != FULL ]] || own=0
    step "pre$1" "${@:2}"
    [ ! -e "$VM_DIR/backup" ]
    [ ! -e "$VM_DIR/backup.journal" ]
    mkdir -p "$CHAIN"
    on_bridge cp "$VM_DIR/backup/disk.0.$own" "$VM_DIR/backup/disk.1.$own" "$CHAIN"
    on_bridge cp "$VM_DIR/backup/vmvault.json" "$CHAIN/result"
    step "post$1" "${@:2}"
    nothing_left
}
result_of() { jq -r "$1" "$CHAIN/result"; }

serves_nothing() { on "$1" test ! -e "$VM_DIR/backup"; }
is_empty() { [ -z "$(on "$1" ls -A "$VMS")" ]; }
# left: of a backup, anywhere; registers and lists of this machine and the bridges, too
left() {
    local host
    find "$VM_DIR" -name backup -o -name backup.journal -o -name bridge
    find "$VMVAULT_VAR" -type l
    cat "$VMVAULT_VAR/hosts/$VM_ID" 2>/dev/null || true
    for host in bridge1 bridge2; do
        on $host find "$VMS" "$VMVAULT_VAR" -mindepth 1 \( -path "$VMS/*" -o -type l \) -printf "$host %p\n"
    done
}
is_nothing_left() { [ -z "$(left)" ]; }
nothing_left() { is_nothing_left || { left; return 1; }; }

# bridge_program HOST NAME LINE...: there, the program is run after these lines of bash
bridge_program() {
    local file=$BATS_FILE_TMPDIR/ssh-$1/bin/$2
    printf '%s\n' '#!/bin/bash' "${@:3}" "exec '$(command -v "$2")' \"\$@\"" >"$file"
    chmod +x "$file"
}
bridge_programs_end() { rm -f "$BATS_FILE_TMPDIR"/ssh-bridge?/bin/{rbd,qemu-nbd}; }

# held_in_take STEP...: begins the step in the background ($step_pid), until the bridge is about to take
# its second disk: the guest stands still, and goes on when the test makes $BATS_TEST_TMPDIR/go
held_in_take() {
    bridge_program "$BRIDGE" rbd "if [[ \"\$*\" == *'snap create'*one-sys-* ]]; then
        touch '$BATS_TEST_TMPDIR/taking'
        until [ -e '$BATS_TEST_TMPDIR/go' ]; do sleep 0.05; done
    fi"
    step "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    step_pid=$!
    eventually test -e "$BATS_TEST_TMPDIR/taking" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
}
# step_failed [WORDS]: waits for the step of held_in_take
step_failed() {
    if wait "$step_pid"; then echo 'the step succeeded' >&2; return 1; fi
    step_pid=
    [ $# -eq 0 ] || grep -q -- "$1" "$BATS_TEST_TMPDIR/err" || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
}

# journal FIELD: of the part on the VM's host; bridge_journal FIELD: on the bridge
journal() { jq -r ".$1" "$VM_DIR/backup.journal"; }
bridge_journal() { on_bridge jq -r ".$1" "$VM_DIR/bridge/backup.journal"; }
