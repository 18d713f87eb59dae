# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Loaded by every .bats file: run actions as the core runs them, and work with real guests.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME" && until [ -e Makefile ]; do cd ..; done && pwd)
BUILD=${BUILD:-$ROOT/build}
export ROOT BUILD
# shellcheck source=tests/fixtures/guest.bash
source "$ROOT/tests/fixtures/guest.bash"

export VMVAULT_HOST_CONF=/nonexistent   # the settings of this machine are none of a test's business
# Each open of a repository takes what restic has chosen for its key, which is most of a small backup.
[[ :$PATH: == *":$FIXTURES/bin:"* ]] || export PATH=$FIXTURES/bin:$PATH
if [ -n "${BATS_TEST_TMPDIR-}" ]; then
    export CALLS="$BATS_TEST_TMPDIR/calls"   # what the fakes were asked to do
fi

# with_fakes: the programs of tests/fakes stand in for the real ones
with_fakes() { export PATH="$ROOT/tests/fakes:$PATH"; }

# action NAME [ARGS...] < document: base64 in, as the core sends it
action() {
    local name=$1; shift
    base64 | "$BUILD/$name" "$@"
}

vmvault() { "$BUILD/drivers/cli/vmvault" "$@"; }

# with_systemd|without_systemd COMMAND...: run it where systemd seems to be running, or not; the
# programs of systemd are then those of tests/fakes
with_systemd() { _systemd_seems 'mkdir /run/systemd/system' "$@"; }
without_systemd() { _systemd_seems : "$@"; }
_systemd_seems() {
    PATH=$ROOT/tests/fakes:$PATH unshare -m --propagation private bash -c \
        "mkdir -p /run/systemd && mount -t tmpfs none /run/systemd && $1"' && exec "$@"' - "${@:2}"
}
can_unshare() { unshare -m --propagation private mount -t tmpfs none /mnt 2>/dev/null; }

# cgroup_make NAME: a new cgroup (version 2); prints its path, or fails where that is not allowed
cgroup_make() {
    local root
    root=$(findmnt -n -l -o TARGET -t cgroup2 | head -n 1)
    [ -n "$root" ] && mkdir "$root/$1" 2>/dev/null && echo "$root/$1"
}
# cgroup_enter CGROUP COMMAND...: become the command, in it
cgroup_enter() { bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"; }

# For setup_file: a libvirtd and a vmvault of their own under $BATS_FILE_TMPDIR, and the guest.
# They end with the file, also when bats itself is killed.
hypervisor_start() {
    local why
    # bats 1.8 takes a skip in setup_file for a failure; scripts/run-tests knows this line.
    why=$("$FIXTURES/libvirtd" can) || { echo "SKIP: no libvirtd of our own: $why"; return 1; }
    guest_build
    "$FIXTURES/libvirtd" start "$BATS_FILE_TMPDIR/virt" --owner $$
    LIBVIRT_DEFAULT_URI=$("$FIXTURES/libvirtd" uri "$BATS_FILE_TMPDIR/virt")
    export LIBVIRT_DEFAULT_URI
    export VMVAULT_VAR=$BATS_FILE_TMPDIR/var
}

# For teardown_file.
hypervisor_stop() {
    "$FIXTURES/libvirtd" stop "$BATS_FILE_TMPDIR/virt"
}

# disk_write NAME N COMMAND: let qemu itself do a qemu-io command on the N-th disk, e.g. "write -P 7 1M 64k"
disk_write() {
    local device=/machine/peripheral/virtio-disk$2/virtio-backend said
    said=$(virsh -q qemu-monitor-command "$1" --hmp "qemu-io -d $device \"$3\"" &&
        virsh -q qemu-monitor-command "$1" --hmp "qemu-io -d $device flush") || return
    [[ $said != *rror* && $said != *ailed* ]] || { echo "disk_write $*: $said" >&2; return 1; }
}

# same_disk A B: the same bytes, and the same size
same_disk() {
    [ "$(virtual_size "$1")" -eq "$(virtual_size "$2")" ] && qemu-img compare -q "$1" "$2"
}
virtual_size() { qemu-img info -U --output=json "$1" | jq '."virtual-size"'; }

# reference DIR DISK...: what the disks of a paused or powered-off domain hold now
reference() {
    local dir=$1 disk
    mkdir -p "$dir"
    for disk in "${@:2}"; do
        qemu-img convert -U -O qcow2 "$disk" "$dir/$(basename "$disk")"
    done
}

# lock_files REPOSITORY: the locks in it.  (A restic that ends while it is still writing its own leaves
# a temporary file beside, which no restic reads.)
lock_files() { find "$1/locks" -type f ! -name '*-tmp-*'; }
