# SPDX-License-Identifier: Apache-2.0
# What goes wrong is said in one line that names cause and object; nothing is left behind, the
# backups are as they were, and so is the guest.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    # Mounted before any libvirtd looks at it: its namespace keeps what it began with.
    if [ "$(id -u)" -eq 0 ]; then
        mkdir small
        "$FIXTURES/libvirtd" stop virt
        mount -t tmpfs -o size=24m vmvault-test small
        "$FIXTURES/libvirtd" start virt --owner $$
    fi
    qemu-img create -q -f qcow2 a.qcow2 64M
    paused_start victim a.qcow2
    disk_write victim 0 'write -P 1 0 40M'
    "$BUILD/drivers/cli/vmvault" backup victim
    image=$(image_of victim)
    export image
}

teardown_file() {
    hypervisor_stop
    umount -l "$BATS_FILE_TMPDIR/small" 2>/dev/null || true
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    taken=$(increments)
    disk_write victim 0 "write -P $((BATS_TEST_NUMBER + 20)) 1M 64k"
}

teardown() {
    [ "$(increments)" -eq "$taken" ]
    guest_is victim paused
    untouched victim
}

increments() { vmvault show "$image" --json | jq '.increments | length'; }

# fails WORD... -- COMMAND...: it fails, prints nothing else, and its line holds every word
fails() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$@"
    [ "$status" -ne 0 ] && [ "$status" -ne 255 ] || { echo "status $status: $*" >&2; return 1; }
    [ -z "$output" ] || { echo "stdout: $output" >&2; return 1; }
    # Progress and notes may come before it.
    said=$(grep -v -e ' %, ' -e 'password was made' <<<"$stderr")
    [ "$(grep -c . <<<"$said")" -eq 1 ] || { echo "not one line: $said" >&2; return 1; }
    local word
    for word in "${words[@]}"; do
        [[ $said == *"$word"* ]] || { echo "no '$word' in: $said" >&2; return 1; }
    done
}

# retried: the next backup is an increment like any other, and restores right
retried() {
    reference "$BATS_TEST_TMPDIR/ref" a.qcow2
    vmvault backup victim
    [ "$(increments)" -eq $((taken + 1)) ]
    taken=$((taken + 1))
    [ "$(last "$image" '.disks[0].kind')" = increment ]
    vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    same_disk "$BATS_TEST_TMPDIR/ref/a.qcow2" "$BATS_TEST_TMPDIR/to/disk.0.qcow2"
}

@test "an unknown domain" {
    fails "'nobody'" -- vmvault backup nobody
}

@test "no libvirt" {
    LIBVIRT_DEFAULT_URI="qemu:///system?socket=$BATS_TEST_TMPDIR/none" \
        fails "$BATS_TEST_TMPDIR/none" -- vmvault backup victim
}

@test "a wrong repository password, and the next backup with the right one" {
    cp -p "$VMVAULT_VAR/restic.password" "$BATS_TEST_TMPDIR/right"
    echo wrong-secret >"$VMVAULT_VAR/restic.password"
    fails password -- vmvault backup victim
    [[ $stderr != *wrong-secret* ]]
    fails password -- vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    [ ! -e "$BATS_TEST_TMPDIR/to" ]
    cp -p "$BATS_TEST_TMPDIR/right" "$VMVAULT_VAR/restic.password"
    retried
}

@test "an upload that fails half way, and the next backup" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/restic" <<SH
#!/bin/sh
case " \$* " in
    *' backup '*) echo 'Fatal: unable to save snapshot: no space left on device' >&2; exit 1 ;;
esac
exec $(command -v restic) "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/bin/restic"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH" fails 'no space left on device' -- vmvault backup victim
    retried
}

@test "a backup that is cancelled, and the next one" {
    disk_write victim 0 'write -P 77 8M 40M'
    restic_waits
    "$BUILD/drivers/cli/vmvault" backup victim >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    backup=$!
    eventually test -e "$BATS_TEST_TMPDIR/storing"
    kill -TERM $backup
    status=0
    wait $backup || status=$?
    [ $status -eq 143 ]
    touch "$BATS_TEST_TMPDIR/go"
    retried
}

@test "a full disk under the restore" {
    [ -d small ] || skip 'only root can mount a small file system'
    fails space "$PWD/small" -- vmvault restore "$image" --to "$PWD/small/to"
    [ -z "$(ls small)" ]
}

@test "a full disk under the backup" {
    [ -d small ] || skip 'only root can mount a small file system'
    VMVAULT_VAR=$PWD/small/var fails "$PWD/small" free -- vmvault backup victim --full
    VMVAULT_VAR=$PWD/small/var untouched victim
    VMVAULT_VAR=$PWD/small/var run --separate-stderr vmvault list --json
    [ "$output" = '[]' ]
    rm -r small/var
}

@test "a disk whose file is missing" {
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/gone.qcow2" 1M
    guest_define gone "$BATS_TEST_TMPDIR/console" "$BATS_TEST_TMPDIR/gone.qcow2"
    rm "$BATS_TEST_TMPDIR/gone.qcow2"
    fails "'vda'" "$BATS_TEST_TMPDIR/gone.qcow2" -- vmvault backup gone
    guest_remove gone
    run -0 jq -e 'all(.[]; .vm.name != "gone")' <(vmvault list --json)
}

@test "a restore never overwrites" {
    mkdir "$BATS_TEST_TMPDIR/to"
    echo precious >"$BATS_TEST_TMPDIR/to/disk.0.qcow2"
    fails "$BATS_TEST_TMPDIR/to/disk.0.qcow2" -- vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to"
    [ "$(cat "$BATS_TEST_TMPDIR/to/disk.0.qcow2")" = precious ]
}

@test "images, increments and disks that there are not" {
    fails 999 -- vmvault show 999
    fails 999 -- vmvault delete 999
    fails 999 -- vmvault restore 999 --to "$BATS_TEST_TMPDIR/to"
    fails 99 -- vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to" --increment 99
    fails 99 -- vmvault restore "$image" --to "$BATS_TEST_TMPDIR/to" --disk 99
    [ ! -e "$BATS_TEST_TMPDIR/to" ]
}

@test "too few arguments for the command" {
    fails DOMAIN -- vmvault backup
    fails --to -- vmvault restore "$image"
    fails ID -- vmvault show
    fails 'what is to be done' -- vmvault
}
