# SPDX-License-Identifier: Apache-2.0
# vmvault restore: all of it, or nothing and one line.

load helper
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

setup() {
    setup_vmvault
    vmvault backup web
    vmvault backup web
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    virsh -q --connect "$LIBVIRT_URI" dumpxml web >"$FAKE/domain.xml"
    : >"$CALLS"
    TO=$BATS_TEST_TMPDIR/to
}

@test "the newest increment, with a domain that runs on it" {
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [[ $output == *'image 1, increment 1: 1 disk restored'* ]]
    cmp "$FAKE/disk.qcow2" "$TO/disk.0.qcow2"
    [ "$(xmllint --xpath 'string(//disk/source/@file)' "$TO/domain.xml")" = "$TO/disk.0.qcow2" ]
    virsh -q --connect "$LIBVIRT_URI" define --validate "$TO/domain.xml"
    grep -Fx "downloader --stream restic://100//0:aaaa0000,1:aaaa0001$(vm_dir)/backup/disk.0.1" "$CALLS"
    [ -z "$(find "$TO" -name '*.part')" ]
}

@test "what is missing above the directory is made, and goes if the restore fails" {
    echo 'echo "it broke" >&2; exit 1' >"$FAKE/downloader"
    run --separate-stderr vmvault restore 1 --to "$TO/restored/web"
    fails_with 1 'it broke'
    [ ! -e "$TO" ]
    rm "$FAKE/downloader"
    vmvault restore 1 --to "$TO/restored/web"
    [ -e "$TO/restored/web/disk.0.qcow2" ]
}

@test "it needs neither domain nor libvirt" {
    LIBVIRT_URI='qemu:///system?socket=/nonexistent' vmvault restore 1 --to "$TO"
    [ -e "$TO/disk.0.qcow2" ]
}

@test "an older increment" {
    vmvault restore 1 --to "$TO" --increment 0
    grep -Fx "downloader --stream restic://100//0:aaaa0000$(vm_dir)/backup/disk.0.0" "$CALLS"
}

@test "one disk alone, without a domain" {
    vmvault restore 1 --to "$TO" --disk 0
    [ "$(ls "$TO")" = disk.0.qcow2 ]
}

@test "a relative directory becomes an absolute path in the domain" {
    cd "$BATS_TEST_TMPDIR"
    vmvault restore 1 --to to
    [ "$(xmllint --xpath 'string(//disk/source/@file)' "$TO/domain.xml")" = "$TO/disk.0.qcow2" ]
}

@test "what is there is not overwritten, and named" {
    mkdir "$TO"
    echo precious >"$TO/disk.0.qcow2"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO/disk.0.qcow2"
    [ "$(cat "$TO/disk.0.qcow2")" = precious ]
    [ ! -s "$CALLS" ]
}

@test "where the domain was undefined meanwhile there are its disks" {
    FILES='"vm.xml":"00"' run -0 --separate-stderr vmvault backup web --full
    [[ $stderr == *"'web' was undefined meanwhile: its domain.xml is not in the backup"* ]]
    rm "$FAKE/domain.xml"
    run -0 --separate-stderr vmvault restore 2 --to "$TO"
    [[ $stderr == *'there is no domain.xml in it'* ]]
    [[ $output != *define* ]]
    cmp "$FAKE/disk.qcow2" "$TO/disk.0.qcow2"
    [ "$(ls "$TO")" = disk.0.qcow2 ]
}

@test "a file is no directory to restore into" {
    echo precious >"$TO"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "'$TO' is no directory"
    [ "$(cat "$TO")" = precious ]
}

@test "an unknown image, increment or disk is named" {
    run --separate-stderr vmvault restore 7 --to "$TO"
    fails_with 1 'image 7'
    run --separate-stderr vmvault restore 1 --to "$TO" --increment 9
    fails_with 2 'increment 9'
    run --separate-stderr vmvault restore 1 --to "$TO" --disk 9
    fails_with 2 'disk 9'
    [ ! -e "$TO" ]
}

@test "a downloader that fails in the middle leaves nothing" {
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; head -c 5000 "$FAKE/disk.qcow2"; echo "wrong password" >&2; exit 1' >"$FAKE/downloader"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 'disk 0' "$TO/disk.0.qcow2" 'wrong password'
    [ ! -e "$TO" ]
}

@test "a damaged disk is not handed out" {
    truncate -s 70000 "$FAKE/disk.qcow2"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO/disk.0.qcow2" damaged
    head -c 5000 /dev/zero >"$FAKE/disk.qcow2"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO/disk.0.qcow2" 'no qcow2 file'
    [ ! -e "$TO" ]
}

@test "a disk that names other files of this machine is refused, and they are not opened" {
    local other=$BATS_TEST_TMPDIR/other
    qemu-img create -q -f qcow2 -u -b "$other" -F raw "$FAKE/disk.qcow2" 8M
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO/disk.0.qcow2" 'has a backing file'
    run --separate-stderr vmvault download 1 --disk 0 --to "$BATS_TEST_TMPDIR/disk"
    fails_with 1 "$BATS_TEST_TMPDIR/disk" 'has a backing file'
    qemu-img create -q -f qcow2 -o "data_file=$other,data_file_raw=on" "$FAKE/disk.qcow2" 8M
    rm "$other"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO/disk.0.qcow2" 'has an external data file'
    [ ! -e "$TO" ] && [ ! -e "$BATS_TEST_TMPDIR/disk" ]
}

@test "a disk is held against its own checksums, also where another machine's increment has the same name" {
    local image of
    echo 'printf %-32s "of $1" >"$dir/backup.sums.0.$n"' >"$FAKE/backup"
    vmvault backup web --full
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/db.qcow2" 8M
    domains "$(UUID=23401b18-2886-42e0-8639-73a62b523410 domain db "$(disk vda "$BATS_TEST_TMPDIR/db.qcow2")")"
    vmvault backup db
    sql "UPDATE increments SET source = 'abc123' WHERE image > 1"
    cat >"$FAKE/downloader" <<'SH'
if [ "$1" = --file ]; then cat "$FAKE/$2"; exit; fi
cat "$VMVAULT_SUMS"/sums.* >>"$FAKE/sums"
cat "$FAKE/disk.qcow2"
SH
    for image in 2 3; do
        of=$((1000000 + image - 2))
        rm -f "$FAKE/sums"
        vmvault restore "$image" --disk 0 --to "$TO.$image"
        vmvault download "$image" >/dev/null
        vmvault download "restic://100//0:abc123/anywhere/$of/backup/disk.0.0" >/dev/null
        [ "$(tr -s ' ' <"$FAKE/sums")" = "of $of of $of of $of " ]
    done
}

@test "what is being read is neither deleted nor merged, until its reader is gone, and nothing stays of that" {
    local words verb reader url="restic://100//0:aaaa0000,1:aaaa0001/anywhere/1000000/backup/disk.0.1"
    vmvault backup web --full
    cat >"$FAKE/downloader" <<'SH'
if [ "$1" = --file ]; then cat "$FAKE/$2"; exit; fi
touch "$FAKE/begun"
until [ -e "$FAKE/go" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done
SH
    for words in "restore 1 --to $TO" 'download 1' "download $url" "mount 1 $TO.mount"; do
        [[ $words != mount* ]] || [ -w /dev/fuse ] || continue
        rm -f "$FAKE/begun"
        # shellcheck disable=SC2086
        "$BUILD/drivers/cli/vmvault" $words >"$FAKE/out" 2>&1 3>&- &
        reader=$!
        eventually [ -e "$FAKE/begun" ]
        for verb in 'delete 1' 'delete 1 --force' 'flatten 1 --keep 1'; do
            # shellcheck disable=SC2086
            run --separate-stderr vmvault $verb
            fails_with 1 'image 1 is being read (vmvault restore, download or mount)'
        done
        kill -KILL "$reader"
        wait "$reader" || true
    done
    touch "$FAKE/go"
    run ! grep -E '^(rm|increment_flatten) ' "$CALLS"
    vmvault delete 1
    [ "$(vmvault list --json | jq -c '[.[].id]')" = '[2]' ]
    [ "$(cd "$VMVAULT_VAR" && echo *read*)" = reading.lock ]
    [ ! -s "$VMVAULT_VAR/reading.lock" ]
}

@test "another image is deleted while one is read" {
    vmvault backup web --full
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; "$DELETES" delete 2 >/dev/null && cat "$FAKE/disk.qcow2"' >"$FAKE/downloader"
    DELETES=$BUILD/drivers/cli/vmvault vmvault restore 1 --to "$TO"
    [ "$(vmvault list --json | jq -c '[.[].id]')" = '[1]' ]
}

@test "a restore of which no note can be made goes on, and says so" {
    mkdir "$VMVAULT_VAR/reading.lock"
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [[ $stderr == *"image 1 could be deleted or merged while it is read: cannot open '$VMVAULT_VAR/reading.lock'"* ]]
    [ -e "$TO/disk.0.qcow2" ]
}

@test "SIGTERM in the middle leaves nothing" {
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; cat "$FAKE/disk.qcow2"; touch "$FAKE/begun"; while :; do sleep 0.05; done' >"$FAKE/downloader"
    "$BUILD/drivers/cli/vmvault" restore 1 --to "$TO" 2>/dev/null 3>&- & local pid=$!
    eventually [ -e "$FAKE/begun" ]
    kill -TERM $pid
    status=0; wait $pid || status=$?
    [ "$status" -eq 143 ]
    [ ! -e "$TO" ]
}

# works_here COUNT: so many directories of those who work, or have, are in the state
works_here() { [ "$(find "$VMVAULT_VAR" -maxdepth 1 -name 'work.*' | wc -l)" -eq "$1" ]; }

@test "what one leaves in the state that was killed goes with the next command, and not that of another" {
    local killed other
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; touch "$FAKE/begun.$PPID"; until [ -e "$FAKE/go" ]; do [ -d "$FAKE" ] || exit 1; sleep 0.05; done; cat "$FAKE/disk.qcow2"' \
        >"$FAKE/downloader"
    "$BUILD/drivers/cli/vmvault" restore 1 --to "$TO" 2>/dev/null 3>&- & killed=$!
    eventually [ -e "$FAKE/begun.$killed" ]
    "$BUILD/drivers/cli/vmvault" restore 1 --to "$TO.other" 3>&- & other=$!
    eventually [ -e "$FAKE/begun.$other" ]
    kill -KILL $killed
    wait $killed || true
    works_here 2
    vmvault list
    works_here 1
    touch "$FAKE/go"
    wait $other
    works_here 0
    [ -e "$TO.other/disk.0.qcow2" ]
    rm -rf "$TO"
}

@test "a directory that cannot be made is named" {
    : >"$BATS_TEST_TMPDIR/a"
    run --separate-stderr vmvault restore 1 --to "$BATS_TEST_TMPDIR/a/b/c"
    fails_with 1 "$BATS_TEST_TMPDIR/a/b/c"
}

@test "a full target is told before anything is fetched" {
    [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip 'needs a mount of its own'
    mkdir "$TO"
    run --separate-stderr unshare -m bash -c \
        "mount -t tmpfs -o size=1m none '$TO' && '$BUILD/drivers/cli/vmvault' restore 1 --to '$TO'; s=\$?; ls '$TO'; exit \$s"
    fails_with 1 "$TO" 'not enough space'
}

@test "a target that fills up is told, and left as it was" {
    [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip 'needs a mount of its own'
    mkdir "$TO"
    truncate -s 8M "$FAKE/disk.qcow2"
    head -c 8M /dev/urandom >>"$FAKE/disk.qcow2"
    run --separate-stderr unshare -m bash -c \
        "mount -t tmpfs -o size=4m none '$TO' && '$BUILD/drivers/cli/vmvault' restore 1 --to '$TO'; s=\$?; ls '$TO'; exit \$s"
    fails_with 1 "$TO" 'no space is left'
}

@test "a planted part is not followed" {
    mkdir "$TO"
    echo precious >"$BATS_TEST_TMPDIR/shadow"
    ln -s "$BATS_TEST_TMPDIR/shadow" "$TO/disk.0.qcow2.part"
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [ "$(cat "$BATS_TEST_TMPDIR/shadow")" = precious ]
    cmp "$FAKE/disk.qcow2" "$TO/disk.0.qcow2"
    [ "$(stat -c %a "$TO/disk.0.qcow2")" = 600 ]
}

@test "a directory that others can write to is refused" {
    mkdir -m 777 "$TO"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 "$TO" 'by others'
    [ -z "$(ls "$TO")" ]
}

@test "a half deleted image is restored as far as it is there" {
    echo 'echo "repository is locked" >&2; exit 1' >"$FAKE/rm"
    run -1 vmvault delete 1
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [[ $stderr == *'image 1 is half deleted'* ]]
    [ -e "$TO/disk.0.qcow2" ]
    echo 'echo "snapshot aaaa0000 is gone" >&2; exit 1' >"$FAKE/downloader"
    run -1 --separate-stderr vmvault restore 1 --to "$TO.2"
    [[ $stderr == *'image 1'*'snapshot aaaa0000 is gone'* ]]
    [ ! -e "$TO.2" ]
}

@test "what is not in the backup is told, with the domain only" {
    sed -i "s,</devices>,<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>,
        s,</os>,<nvram>/n.fd</nvram></os>," "$FAKE/domain.xml"
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [[ $stderr == *"the TPM state of 'web' is not in the backup"* ]]
    [[ $stderr == *"the NVRAM of 'web' is not in the backup"* ]]
    run -0 --separate-stderr vmvault restore 1 --to "$TO.2" --disk 0
    [ -z "$stderr" ]
}

# with_state: the next backup holds TPM and NVRAM, and libvirt's places are below $HOST
with_state() {
    export DOCUMENTS='{"what":"TPM state","file":"disk.tpm.0"},{"what":"NVRAM","file":"nvram.fd"}'
    vmvault backup web
    HOST=$BATS_TEST_TMPDIR/swtpm
    export VMVAULT_SWTPM_DIR=$HOST
    STATE=$HOST/23401b18-2886-42e0-8639-73a62b52342b/tpm2/tpm2-00.permall
    sed -i "s,</devices>,<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>,
        s,</os>,<nvram>/n.fd</nvram></os>," "$FAKE/domain.xml"
    echo variables >"$FAKE/nvram.fd"
    mkdir "$BATS_TEST_TMPDIR/tpm"
    echo state >"$BATS_TEST_TMPDIR/tpm/tpm2-00.permall"
    tar -C "$BATS_TEST_TMPDIR" -czf "$FAKE/disk.tpm.0" tpm
}

@test "NVRAM and TPM come back, each to its place" {
    with_state
    mkdir "$HOST"
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [ -z "$stderr" ]
    [ "$(xmllint --xpath 'string(//nvram)' "$TO/domain.xml")" = "$TO/nvram.fd" ]
    [ "$(<"$TO/nvram.fd")" = variables ]
    [ "$(<"$STATE")" = state ]
    [ "$(stat -c %a "$STATE" "$TO/nvram.fd" | xargs)" = '600 600' ]
    run -0 --separate-stderr vmvault restore 1 --to "$TO.2" --disk 0
    [ "$(ls "$TO.2")" = disk.0.qcow2 ]
}

@test "a host without swtpm: the state is left beside the disks, and its place is told" {
    with_state
    run -0 --separate-stderr vmvault restore 1 --to "$TO"
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"'$TO/tpm2-00.permall' belongs at '$STATE'"* ]]
    [ "$(<"$TO/tpm2-00.permall")" = state ]
}

@test "a disk that fails leaves nothing of the machine's other files" {
    with_state
    mkdir "$HOST"
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; exit 1' >"$FAKE/downloader"
    run -1 vmvault restore 1 --to "$TO"
    [ ! -e "$TO" ]
    [ -z "$(ls "$HOST")" ]
}

@test "a domain.xml that cannot be written takes the TPM's state with it" {
    with_state
    mkdir "$HOST"
    echo '[ "$1" = --file ] && { cat "$FAKE/$2"; exit; }; cat "$FAKE/disk.qcow2"; mkdir -p "$TO/domain.xml"' >"$FAKE/downloader"
    export TO
    run -1 vmvault restore 1 --to "$TO"
    [ "$(ls "$TO")" = domain.xml ]
    [ -z "$(ls "$HOST")" ]
}

@test "a damaged archive of a TPM is an error before any disk is fetched" {
    with_state
    head -c 30 "$FAKE/disk.tpm.0" >"$FAKE/cut" && mv "$FAKE/cut" "$FAKE/disk.tpm.0"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 'disk.tpm.0' damaged
    [ ! -e "$TO" ]
}

@test "a damaged stored domain is named" {
    echo '<domain>' >"$FAKE/domain.xml"
    run --separate-stderr vmvault restore 1 --to "$TO"
    fails_with 1 'stored domain.xml' damaged
    [ ! -e "$TO" ]
}
