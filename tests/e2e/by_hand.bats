# SPDX-License-Identifier: Apache-2.0
# share/doc/recovery.md: its commands, as they stand there, but for the names of the places.

load helper.bash

setup_file() {
    hypervisor_start
    cd "$BATS_FILE_TMPDIR"
    "$BUILD/drivers/cli/vmvault" datastore add rsync "localhost:$PWD/server"
    qemu-img create -q -f qcow2 a.qcow2 40M
    qemu-img create -q -f qcow2 b.qcow2 20M
    qemu-io -c 'write -P 1 0 3M' a.qcow2 >/dev/null
    paused_start lost a.qcow2 b.qcow2
    disk_write lost 1 'write -P 4 0 64k'
    backups --datastore 100
    backups --datastore 101 --full
    image=$(image_of lost)
    "$BUILD/drivers/cli/vmvault" flatten "$image" --keep 2   # whose directory is newer than the last one's
    "$BUILD/drivers/cli/vmvault" backup lost --datastore 101 --full
}

# backups OPTIONS: a full one and two increments, and a reference of the last
backups() {
    "$BUILD/drivers/cli/vmvault" backup lost "$@"
    disk_write lost 0 'write -P 2 1M 64k'
    "$BUILD/drivers/cli/vmvault" backup lost "${@:1:2}"
    disk_write lost 0 'discard 0 1M'
    disk_write lost 1 'write -z 0 64k'
    "$BUILD/drivers/cli/vmvault" backup lost "${@:1:2}"
    reference "$2" a.qcow2 b.qcow2
}

teardown_file() { hypervisor_stop; }

teardown() { [ -z "${OPEN-}" ] || rm -r "$OPEN"; }

setup() {
    mkdir "$BATS_TEST_TMPDIR/srv"
    cd "$BATS_TEST_TMPDIR"
}

# says NAME: the commands of that name on the page, with our places in them
says() {
    local text
    text=$(sed -n "/^\`\`\`sh $1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$ROOT/share/doc/recovery.md")
    [ -n "$text" ]
    text=${text//\/srv\/backups\/1000000/$(echo "$BATS_FILE_TMPDIR"/server/*)}
    text=${text//\/var\/lib\/vmvault\/repo\/1000000/$(echo "$VMVAULT_VAR"/repo/*)}
    text=${text//\/root\/restic.password/$VMVAULT_VAR\/restic.password}
    text=${text//1b31196f 8e7d4285/${snapshots-}}
    text=${text//1b3119 8e7d42/${names-}}
    echo "${text//\/srv\//$BATS_TEST_TMPDIR\/srv\/}"
}

# was REFERENCE: the two disks are what they were
was() {
    same_disk "$BATS_FILE_TMPDIR/$1/a.qcow2" "$BATS_TEST_TMPDIR/srv/disk.0.qcow2"
    same_disk "$BATS_FILE_TMPDIR/$1/b.qcow2" "$BATS_TEST_TMPDIR/srv/disk.1.qcow2"
}

@test "a restic repository is read with restic and qemu-img alone" {
    snapshots=$(bash -euc "$(says list)" | grep -oE '^[0-9a-f]{8}' | tr '\n' ' ')
    [ "$(wc -w <<<"$snapshots")" -eq 3 ]
    bash -euc "$(says list)
$(says fetch)
$(says merge)"
    was 100
}

@test "a server of rsync is read with cp and qemu-img alone" {
    local rows
    rows=$(bash -euc "$(says look)")
    [ "$(cut -d' ' -f2,3 <<<"$rows" | paste -sd,)" = '1 -1,2 1,0 -1' ]
    names=$(head -n 2 <<<"$rows" | cut -d' ' -f4 | paste -sd' ')
    bash -euc "$(says copy)
$(says merge)"
    was 101
    cmp "$BATS_TEST_TMPDIR/srv/recovered/domain.xml" "$(echo "$BATS_FILE_TMPDIR"/server/*/"${names#* }")/domain.xml"
    xmllint --noout "$BATS_TEST_TMPDIR/srv/recovered/domain.xml"
}

# open_to_nobody: $OPEN, with copies of what was stored, is another user's, who may go there (as bats' own directory need
# not be)
open_to_nobody() {
    [ "$(id -u)" -eq 0 ] || skip 'is no root: all of this is done by an ordinary user'
    OPEN=$(mktemp -d)
    mkdir "$OPEN"/{var,srv}
    cp -a "$VMVAULT_VAR"/{repo,restic.password} "$OPEN/var"
    cp -a "$BATS_FILE_TMPDIR/server" "$OPEN"
    chown -R nobody "$OPEN"
}
# nobody_does NAME...: the commands of these names
nobody_does() {
    local name all=''
    for name; do
        all+=$(VMVAULT_VAR=$OPEN/var BATS_FILE_TMPDIR=$OPEN BATS_TEST_TMPDIR=$OPEN says "$name")$'\n'
    done
    (cd "$OPEN" && HOME=$OPEN setpriv --reuid=nobody --clear-groups bash -euc "$all")
}

@test "a restic repository is read by an ordinary user, too" {
    open_to_nobody
    snapshots=$(nobody_does list | grep -oE '^[0-9a-f]{8}' | tr '\n' ' ')
    [ "$(wc -w <<<"$snapshots")" -eq 3 ]
    nobody_does list fetch merge
    BATS_TEST_TMPDIR=$OPEN was 100
}

@test "a server of rsync is read by an ordinary user, too" {
    open_to_nobody
    names=$(nobody_does look | head -n 2 | cut -d' ' -f4 | paste -sd' ')
    nobody_does copy merge
    BATS_TEST_TMPDIR=$OPEN was 101
}
