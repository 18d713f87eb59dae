# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# vmvault with libvirt's test driver for the domains and fakes for the actions.

# shellcheck source=tests/helper.bash
source "${BASH_SOURCE[0]%/drivers/cli/*}/helper.bash"

# setup_vmvault: a state of its own, a tree of fake actions, one running domain "web"
setup_vmvault() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var FAKE=$BATS_TEST_TMPDIR/fake
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR/remotes
    unset LIBVIRT_DEFAULT_URI
    mkdir -p "$FAKE" "$VMVAULT_REMOTES/vmm/kvm" "$VMVAULT_REMOTES/datastore/restic"
    cp "$BATS_TEST_DIRNAME/fake_backup" "$VMVAULT_REMOTES/vmm/kvm/backup"
    ln -s "$BUILD/vmm/kvm/recover" "$VMVAULT_REMOTES/vmm/kvm/"
    local action
    for action in downloader rm monitor increment_flatten verify; do
        cp "$BATS_TEST_DIRNAME/fake_datastore" "$VMVAULT_REMOTES/datastore/restic/$action"
    done
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/web.qcow2" 8M
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")")"
    password_known
}

# The first use tells of the password: not of interest later.
password_known() { vmvault init 2>/dev/null; }

# disk TARGET FILE [FORMAT]
disk() {
    echo "<disk type='file' device='disk'><driver name='qemu' type='${3-qcow2}'/>
        <source file='$2'/><target dev='$1' bus='virtio'/></disk>"
}

# domain NAME DEVICES [MORE]
domain() {
    echo "<domain type='test'><name>$1</name><uuid>${UUID-23401b18-2886-42e0-8639-73a62b52342b}</uuid>
        <memory>262144</memory><os><type>hvm</type></os>${3-}<devices>$2</devices></domain>"
}

# domains XML...: what libvirt knows
domains() {
    echo "<node>$*</node>" >"$BATS_TEST_TMPDIR/node.xml.new"
    mv "$BATS_TEST_TMPDIR/node.xml.new" "$BATS_TEST_TMPDIR/node.xml"   # a service may be looking at it
    export LIBVIRT_URI=test://$BATS_TEST_TMPDIR/node.xml
}

# asked XPATH: of the last request to a fake action
asked() { xmllint --xpath "string($1)" "$FAKE/request"; }

# vm_dir: of the only machine
vm_dir() { echo "$VMVAULT_VAR/vms/1000000"; }

# fails_with STATUS WORDS...: the last run said one line, with these words in it, and nothing else
fails_with() {
    [ "$status" -eq "$1" ]
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ ${stderr_lines[0]} == 'vmvault: '* ]]
    local word
    for word in "${@:2}"; do [[ $stderr == *"$word"* ]]; done
}
