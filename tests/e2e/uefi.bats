# SPDX-License-Identifier: Apache-2.0
# A machine with UEFI and a TPM: its variables and the TPM's state are in the backup, and come back.

load helper.bash

UUID=6c1f4a52-39b8-4d7c-8d7e-0a55ee4f1b11

setup_file() {
    hypervisor_start
    export VMVAULT_SWTPM_DIR=$BATS_FILE_TMPDIR/virt/lib/swtpm
    [ "$(id -u)" -eq 0 ] || VMVAULT_SWTPM_DIR=$BATS_FILE_TMPDIR/virt/config/libvirt/qemu/swtpm
    export TPM=$VMVAULT_SWTPM_DIR/$UUID/tpm2/tpm2-00.permall
    cd "$BATS_FILE_TMPDIR"
    qemu-img create -q -f qcow2 a.qcow2 16M
    guest_define --uuid "$UUID" --no-agent --uefi vars.fd --tpm uefi console a.qcow2
    # A directory that is not empty: swtpm makes its own state then, without a CA of this machine.
    mkdir -p "${TPM%/*}"
    touch "${TPM%/*}/.lock"
    virsh -q start uefi
    eventually firmware_has_written
    virsh -q suspend uefi
}

teardown_file() { hypervisor_stop; }

setup() { cd "$BATS_FILE_TMPDIR"; }

firmware_has_written() { ! cmp -s vars.fd /usr/share/OVMF/OVMF_VARS_4M.fd; }

# restored FILE WHAT: the restored file is what the machine had
restored() { cmp "$1" "$BATS_FILE_TMPDIR/was.$2"; }

@test "a live backup holds both, and its documents say so" {
    cp vars.fd was.vars
    cp "$TPM" was.tpm
    run -0 --separate-stderr vmvault backup uefi
    [[ $stderr != *'not in the backup'* ]]
    run -0 last 1 '[.documents[] | .what, .file, .why] | join(" ")'
    [ "$output" = 'TPM state disk.tpm.0  NVRAM nvram.fd ' ]
    untouched uefi
}

@test "of a machine that is off, and from copied files, too" {
    virsh -q destroy uefi
    VMVAULT_EXPORT=copy vmvault backup uefi
    last 1 '(.documents | length == 2) and all(.documents[]; .file != "") and (.live | not)'
}

@test "a state that is there is left alone: the restored one is put beside the disks" {
    run -0 --separate-stderr vmvault restore 1 --to "$BATS_TEST_TMPDIR/to"
    [[ $stderr == *"'$BATS_TEST_TMPDIR/to/tpm2-00.permall' belongs at '$TPM'"* ]]
    restored "$BATS_TEST_TMPDIR/to/tpm2-00.permall" tpm
    restored "$BATS_TEST_TMPDIR/to/nvram.fd" vars
    [ "$(stat -c %a "$BATS_TEST_TMPDIR/to/tpm2-00.permall")" = 600 ]
}

@test "where the machine is gone, it starts from the restored disks, variables and TPM" {
    virsh -q undefine uefi --nvram --checkpoints-metadata
    [ ! -e vars.fd ] && [ ! -e "$TPM" ]
    run -0 --separate-stderr vmvault restore 1 --to "$BATS_TEST_TMPDIR/to" --increment 0
    [[ $stderr != *'belongs at'* && $stderr != *'not in the backup'* ]]
    [[ $output == *"$TPM"* ]]
    restored "$TPM" tpm
    restored "$BATS_TEST_TMPDIR/to/nvram.fd" vars
    virsh -q define "$BATS_TEST_TMPDIR/to/domain.xml"
    virsh -q start uefi --paused
    restored "$TPM" tpm
    restored "$BATS_TEST_TMPDIR/to/nvram.fd" vars
    [ ! -e vars.fd ]
    grep -qF "$BATS_TEST_TMPDIR/to/nvram.fd" < <(virsh -q dumpxml uefi)
}

@test "what cannot be read is told at the backup, by show and at the restore" {
    VMVAULT_SWTPM_DIR=$BATS_TEST_TMPDIR/none run -0 --separate-stderr vmvault backup uefi
    [ "$(grep -c 'the TPM state is not in the backup' <<<"$stderr")" -eq 1 ]
    image=$(image_of uefi)
    last "$image" '.documents[0] | .file == "" and (.why | contains("none"))'
    run -0 vmvault show "$image"
    [[ $output == *'the TPM state is not in it: '* ]]
    run -0 --separate-stderr vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    [[ $stderr == *"the TPM state of 'uefi' is not in the backup: cannot open '$BATS_TEST_TMPDIR/none"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/to/tpm2-00.permall" ]
    [ -e "$BATS_TEST_TMPDIR/to/nvram.fd" ]
}
