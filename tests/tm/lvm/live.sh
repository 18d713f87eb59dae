# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2086
# In a live guest of tests/fixtures/lvm_host, after scenario.sh: a hypervisor, and a guest of its own with
# its system in a file and its data in LVM.
export LIBVIRT_URI=qemu:///system LIBVIRT_DEFAULT_URI=qemu:///system
ROOT=/vmvault
DISKS='file thin'
CONSOLE=/tmp/console
# shellcheck source=tests/fixtures/guest.bash
. $ROOT/tests/fixtures/guest.bash

# live_start: once
live_start() {
    mkdir -p /var/tmp $VM_DIR /etc/libvirt /var/{lib,cache,log}/libvirt
    mke2fs -F /dev/ubdb >/dev/null   # the root is in memory, where nobody can read past the cache
    mount -t ext4 /dev/ubdb $VM_DIR
    printf 'root:x:0:0::/tmp:/bin/sh\nlibvirt-qemu:x:64055:64055::/:/bin/sh\n' >/etc/passwd
    printf 'root:x:0:\nlibvirt-qemu:x:64055:\n' >/etc/group
    printf '%s = "none"\n' auth_unix_ro auth_unix_rw >/etc/libvirt/libvirtd.conf
    cat >/etc/libvirt/qemu.conf <<CONF
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
max_core = 0
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
CONF
    setsid libvirtd </dev/null >/tmp/libvirtd.log 2>&1 &
    machine_start
    vm_start 0 256
    guest_copy $VM_DIR/root.qcow2
    mv $VM_DIR/root.qcow2 $VM_DIR/disk.0
    qemu-img convert -f qcow2 -O raw -n --target-is-zero "$GUEST/second.qcow2" "$(device 1)"
    eventually virsh -q version >/dev/null 2>&1
    guest_define --rate 20 lab $CONSOLE $VM_DIR/disk.0 "$(device 1)"
    EVENTUALLY=600 guest_start lab
    works
}

works() { EVENTUALLY=300 guest_works $CONSOLE; }

# What the guest does while LVM makes a snapshot goes to /tmp/meanwhile.
watch_snapshots() {
    [ ! -e /usr/bin/lvcreate.real ] || return 0
    mv /usr/bin/lvcreate /usr/bin/lvcreate.real
    cat >/usr/bin/lvcreate <<'WATCH'
#!/usr/bin/bash
state=$(virsh -q domstate lab)
[ "$state" != running ] ||
    state=$(virsh -q qemu-agent-command lab --timeout 60 '{"execute":"guest-fsfreeze-status"}' | jq -r .return)
echo $state >>/tmp/meanwhile
[ ! -e /tmp/no_snapshots ] || exit 5
[ ! -e /tmp/killer ] || kill -9 $PPID
exec -a lvcreate /usr/bin/lvcreate.real "$@"
WATCH
    chmod 755 /usr/bin/lvcreate
}
meanwhile() { cat /tmp/meanwhile; rm /tmp/meanwhile; }

# taken PARENT FREEZE: a backup that is uploaded
taken() {
    step prebackup_live "$@"
    mkdir -p $CHAIN
    cp $VM_DIR/backup/disk.* $CHAIN
    step postbackup_live "$@"
    clean
}

# whole ROOT SECOND: the guest's two disks in these increments, judged as they were
whole() {
    restored 0 "$1" /tmp/root.raw
    restored 1 "$2" /tmp/second.raw
    guest_inspect /tmp/root.raw /tmp/second.raw
}
