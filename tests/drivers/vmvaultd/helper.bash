# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The service with its real drivers, libvirt's test driver for the domains, and actions that do what
# the test says.

# shellcheck source=tests/drivers/cli/helper.bash
source "${BASH_SOURCE[0]%/vmvaultd/*}/cli/helper.bash"
# shellcheck source=tests/fixtures/keepers.bash
source "$ROOT/tests/fixtures/keepers.bash"
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

# service_setup: a state, a tree of actions, and drivers beside it; no domain yet
service_setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var FAKE=$BATS_TEST_TMPDIR/fake
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR/remotes MADS=$BATS_TEST_TMPDIR/mads
    unset LIBVIRT_DEFAULT_URI
    mkdir -p "$FAKE" "$MADS" "$VMVAULT_REMOTES"/{vmm/kvm,datastore/restic,tm/qcow2,tm/host}
    ln -s "$BUILD/drivers/vmm/one_vmm_exec" "$BUILD/drivers/datastore/one_datastore" "$MADS/"
    cp "${BASH_SOURCE[0]%/*}/waiting_backup" "$VMVAULT_REMOTES/vmm/kvm/backup"
    local action
    for action in rm increment_flatten discard monitor; do
        cp "${BASH_SOURCE[0]%/*}/../cli/fake_datastore" "$VMVAULT_REMOTES/datastore/restic/$action"
    done
    for action in qcow2/recover host/backup_host; do   # there is nothing to put right
        printf '#!/bin/sh\n' >"$VMVAULT_REMOTES/tm/$action"
        chmod 755 "$VMVAULT_REMOTES/tm/$action"
    done
    : >"$CALLS"
}

# machines COUNT: vm0, vm1...
machines() {
    local all=() n
    for ((n = 0; n < $1; ++n)); do
        qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/vm$n.qcow2" 8M
        all+=("$(UUID=23401b18-2886-42e0-8639-73a62b5234$((10 + n)) domain "vm$n" \
            "$(disk vda "$BATS_TEST_TMPDIR/vm$n.qcow2")")")
    done
    domains "${all[*]}"
    password_known
}

# powered_off: all machines, as libvirt has them from now on (its test driver runs what it defines)
powered_off() {
    local test='http://libvirt.org/schemas/domain/test/1.0'
    sed -i "s,<domain type='test'>,<domain type='test' xmlns:test='$test'><test:runstate>5</test:runstate>,g" \
        "$BATS_TEST_TMPDIR/node.xml"
}

# service_start [LINES]: with these lines in its configuration, as $service; what it says goes to
# $BATS_TEST_TMPDIR/log
service_start() {
    printf 'PORT = 0\n%s\nMADS_LOCATION = "%s"\nMONITORING_INTERVAL_HOST = 1\n' "${1-}" "$MADS" >"$BATS_TEST_TMPDIR/conf"
    "$BUILD/drivers/vmvaultd/vmvaultd" --config "$BATS_TEST_TMPDIR/conf" </dev/null \
        >>"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    service=$!
}
# service_end SIGNAL
service_end() {
    kill "-$1" "$service"
    wait "$service" 2>/dev/null || true
    service=
}

# ready [LINES]: the service runs, and knows its two machines; none is backed up by itself
ready() {
    service_start "RPO = 0
${1-}"
    eventually knows_machines
}
knows_machines() { [ "$(api one.vmpool.info i:-2 i:-1 i:-1 i:-2 | grep -o '<STATE>3<' | wc -l)" -eq 2 ]; }

api() { "${BASH_SOURCE[0]%/*}/api" "$@"; }
# follows SCHEMA DOCUMENT
follows() { xmllint --noout --nonet --schema "$ROOT/share/xsd/$1.xsd" - <<<"$2"; }

called() { grep -qx -- "$1" "$CALLS"; }
calls() { grep -cx -- "$1" "$CALLS" || true; }
# shellcheck disable=SC2120  # its argument may be missing
go() { touch "$FAKE/go${1+.$1}"; }
images() { vmvault list --json 2>/dev/null | jq length; }
has_images() { [ "$(images)" -eq "$1" ]; }

# For teardown.
service_stop() {
    go
    [ -z "${service-}" ] || service_end TERM
    keepers_stop
}
