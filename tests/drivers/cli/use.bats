# SPDX-License-Identifier: Apache-2.0
# vmvault: wrong use, first use, and what it says when libvirt is not there.

load helper
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

setup() { setup_vmvault; }
teardown() { [ -z "${OPEN-}" ] || rm -r "$OPEN"; }

@test "without a command, or with one that is none, it says in one line what there is" {
    run --separate-stderr vmvault
    fails_with 2 backup restore "'vmvault --help'"
    run --separate-stderr vmvault bakcup
    fails_with 2 "'bakcup'" backup
    run --separate-stderr vmvault vm lst
    fails_with 2 "no 'lst' in 'vmvault vm'" list "'vmvault vm --help'"
}

@test "too few arguments, unknown ones and wrong numbers are one line each" {
    run --separate-stderr vmvault backup
    fails_with 2 DOMAIN
    run --separate-stderr vmvault restore web --to /nonexistent/to
    fails_with 2 "'web' is no number, as ID has to be" "'vmvault restore --help'"
    run --separate-stderr vmvault --conect x backup web
    fails_with 2 "'--conect' is not expected here" "'vmvault --help'"
    run --separate-stderr vmvault datastore add restic /backups
    fails_with 2 "'vmvault datastore create' makes others"
    run --separate-stderr vmvault restore 1
    fails_with 2 --to
    run --separate-stderr vmvault show one
    fails_with 2 one
    run --separate-stderr vmvault backup web --frob
    fails_with 2 --frob
    run --separate-stderr vmvault backup web --fs-freeze ice
    fails_with 2 ice
}

@test "names that are none are one line, quoted without what could steer a terminal, and make nothing" {
    local name command
    for name in $'a\nb' $'\e[2J' '$(touch hacked)' '../../etc' '' "$(printf '%0100000d' 1)" $'\xff\xfe'; do
        for command in 'backup' 'vm show' 'vm backup' 'image show' 'image delete' 'restore --to /x' 'show' 'delete' 'flatten --keep 1' \
            'datastore show' 'job show' 'user show' 'recover' 'host show'; do
            # shellcheck disable=SC2086
            run --separate-stderr vmvault $command "$name"
            [ "$status" -eq 1 ] || [ "$status" -eq 2 ] || { echo "$command: $status"; false; }
            [ -z "$output" ]
            [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$command: $stderr"; false; }
            [[ $stderr != *$'\e'* ]]
        done
    done
    [ ! -e hacked ]
    [ ! -e "$CALLS" ]
    [ "$(vmvault list --json)" = '[]' ]
}

@test "--help has examples, of the command that it is about, --version a number" {
    run -0 vmvault --help
    [[ $output == *'vmvault restore 1 --to'* ]]
    run -0 vmvault job create --help
    [[ $output == *'vmvault job create --name'*'Exit: 0 done'* && $output != *'vmvault restore'* ]]
    run -0 vmvault --version
    [[ $output =~ ^'vmvault '[0-9] ]]
}

@test "the first use makes a private password, and tells once where it is" {
    rm -r "$VMVAULT_VAR"
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *"$VMVAULT_VAR/restic.password"*elsewhere* ]]
    [ "$(stat -c %a "$VMVAULT_VAR/restic.password")" = 600 ]
    [ "$(stat -c %a "$VMVAULT_VAR/datastores/100.xml")" = 600 ]
    [ "$(stat -c %a "$VMVAULT_VAR/state.db")" = 600 ]
    run -0 --separate-stderr vmvault backup web
    [[ $stderr != *password* ]]
}

@test "who only asks, or asks for what is not there, makes nothing" {
    rm -r "$VMVAULT_VAR"
    for command in list 'list --json' status 'datastore list' 'datastore prune'; do
        # shellcheck disable=SC2086
        run -0 vmvault $command
    done
    for command in 'show 1' "restore 99 --to $BATS_TEST_TMPDIR/to" 'delete 1' 'verify 1' 'flatten 1 --keep 1' \
        'download 1 --to d' "mount 1 $BATS_TEST_TMPDIR/m" 'backup nobody' 'backup web --datastore 7'; do
        # shellcheck disable=SC2086
        run --separate-stderr vmvault $command
        [ "$status" -ne 0 ]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
    [ ! -e "$VMVAULT_VAR" ]
    run -0 --separate-stderr vmvault init
    [[ $stderr == *"$VMVAULT_VAR/restic.password"* ]]
    [ -e "$VMVAULT_VAR/restic.password" ]
}

@test "a lost password is not replaced while there is a repository" {
    mkdir -p "$VMVAULT_VAR/repo/1000000"
    rm "$VMVAULT_VAR/restic.password"
    run --separate-stderr vmvault backup web
    fails_with 1 "$VMVAULT_VAR/restic.password"
    [ ! -e "$VMVAULT_VAR/restic.password" ]
}

@test "a lost state is not begun anew while there is a repository" {
    local lost command
    rm "$VMVAULT_VAR"/state.db*
    vmvault list   # the first run
    mkdir -p "$VMVAULT_VAR/repo/1000000"
    for lost in gone empty; do
        [ "$lost" = gone ] || : >"$VMVAULT_VAR/state.db"
        for command in list status 'backup web' init; do
            # shellcheck disable=SC2086
            run --separate-stderr vmvault $command
            fails_with 1 "'$VMVAULT_VAR/state.db' is $lost" "'$VMVAULT_VAR/repo'" 'put your copy of it back'
        done
        run -1 --separate-stderr "$BUILD/drivers/vmvaultd/vmvaultd" --queue
        [[ $stderr == *"'$VMVAULT_VAR/state.db' is $lost"* ]]
    done
    [ ! -s "$VMVAULT_VAR/state.db" ]
    [ ! -e "$CALLS" ]
    mv "$VMVAULT_VAR/repo" "$VMVAULT_VAR/repo.lost"
    run -0 vmvault backup web
    [[ $output == 'image 1, '* ]]
}

@test "a state directory that is a file is named" {
    : >"$BATS_TEST_TMPDIR/file"
    VMVAULT_VAR=$BATS_TEST_TMPDIR/file run --separate-stderr vmvault list
    fails_with 1 "'$BATS_TEST_TMPDIR/file' is no directory"
}

@test "who has no backup is told where it was looked for" {
    run -0 --separate-stderr vmvault list
    [[ $stderr == *"there is no backup yet in '$VMVAULT_VAR'"* ]]
}

@test "a state that was moved is told from a lost one, and the chain continues" {
    vmvault backup web
    mkdir -p "$VMVAULT_VAR/repo/1000000"
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    mv "$VMVAULT_VAR" "$VMVAULT_VAR.new"
    local old=$VMVAULT_VAR
    VMVAULT_VAR+=.new
    run --separate-stderr vmvault backup web
    fails_with 1 "'$VMVAULT_VAR' was '$old'" "'vmvault adopt'"
    run --separate-stderr vmvault restore 1 --to "$BATS_TEST_TMPDIR/to"
    fails_with 1 "$VMVAULT_VAR/datastores/100.xml" "'$old/repo'" "'$VMVAULT_VAR/repo'" BASE_PATH "'vmvault adopt'"
    run -0 vmvault adopt
    [[ $output == *"'$VMVAULT_VAR'"* ]]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 1: increment of '* ]]
    [ "$(asked //DATASTORE/BASE_PATH)" = "$VMVAULT_VAR/repo" ]
    vmvault restore 1 --to "$BATS_TEST_TMPDIR/to" --disk 0
    vmvault restore 1 --to "$BATS_TEST_TMPDIR/to.0" --disk 0 --increment 0
    [ ! -e "$old" ]
}

@test "a copy of a state beside it does nothing to the other one's backups" {
    vmvault backup web
    vmvault backup web
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    local original=$VMVAULT_VAR command
    cp -a "$VMVAULT_VAR" "$VMVAULT_VAR.copy"
    VMVAULT_VAR+=.copy
    for command in 'backup web' 'flatten 1 --keep 1' 'delete 1' 'delete 1 --force' 'datastore prune' gc recover \
        'recover web' adopt; do
        # shellcheck disable=SC2086  # words
        run --separate-stderr vmvault $command
        fails_with 1 "'$VMVAULT_VAR' is a copy of '$original'" "'vmvault adopt'"
    done
    run -1 grep -E '^(rm|increment_flatten|prune)' "$CALLS"
    run -0 vmvault status
    [[ $output == *"problem: the state directory '$VMVAULT_VAR' is a copy of '$original'"* ]]
    vmvault show 1
    run -1 --separate-stderr vmvault gc --dry-run
    [[ $stderr == *'its driver cannot list what is there'* ]]   # it is asked
    vmvault restore 1 --to "$BATS_TEST_TMPDIR/to" --disk 0   # from the other one's repositories
    ln -s "$original" "$original.link"   # is no copy
    VMVAULT_VAR=$original.link run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 2: increment of '* ]]
    mv "$original/state.db" "$original/state.db.away"
    run --separate-stderr vmvault backup web
    fails_with 1 "'vmvault adopt'"
    vmvault adopt
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 2: increment of '* ]]
}

@test "a copy of an older version's state is known by the repositories that it names" {
    vmvault backup web
    sql 'DELETE FROM home'
    local original=$VMVAULT_VAR command
    cp -a "$VMVAULT_VAR" "$VMVAULT_VAR.copy"
    VMVAULT_VAR+=.copy
    for command in 'backup web' 'delete 1' adopt; do
        # shellcheck disable=SC2086  # words
        run --separate-stderr vmvault $command
        fails_with 1 "'$VMVAULT_VAR' is a copy of '$original'" BASE_PATH
    done
    VMVAULT_VAR=$original
    run -0 --separate-stderr vmvault backup web   # is at home where it is used
    [[ $output == 'image 1, increment 1: increment of '* ]]
    [ "$(sql 'SELECT var FROM home')" = "$(realpath "$VMVAULT_VAR")" ]
}

@test "a state that is put back into its place needs nothing, whole or an older state.db" {
    vmvault backup web
    cp -a "$VMVAULT_VAR" "$BATS_TEST_TMPDIR/kept"
    vmvault backup web
    cp "$BATS_TEST_TMPDIR/kept/state.db" "$VMVAULT_VAR/state.db"
    rm -f "$VMVAULT_VAR"/state.db-*
    vmvault backup web
    rm -r "$VMVAULT_VAR"
    cp -r "$BATS_TEST_TMPDIR/kept" "$VMVAULT_VAR"
    vmvault backup web
}

@test "a state that comes from another machine changes nothing until it is adopted" {
    can_unshare || skip 'no mount namespaces here'
    [ -s /etc/machine-id ] || skip 'this machine has no number'
    vmvault backup web
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    echo 0123456789abcdef0123456789abcdef >"$BATS_TEST_TMPDIR/id"
    elsewhere() {
        # shellcheck disable=SC2016
        unshare -m --propagation private sh -c 'mount --bind "$1" /etc/machine-id && shift && exec "$@"' _ \
            "$BATS_TEST_TMPDIR/id" "$BUILD/drivers/cli/vmvault" "$@"
    }
    local command
    for command in 'backup web' 'delete 1' gc; do
        # shellcheck disable=SC2086  # words
        run --separate-stderr elsewhere $command
        fails_with 1 "'$VMVAULT_VAR' was '$VMVAULT_VAR' of '$(hostname)'" "'vmvault adopt'"
    done
    elsewhere list
    elsewhere restore 1 --to "$BATS_TEST_TMPDIR/to" --disk 0
    elsewhere adopt
    run -0 --separate-stderr elsewhere backup web
    [[ $output == 'image 1, increment 1: increment of '* ]]
    run --separate-stderr vmvault backup web   # it is the other's now
    fails_with 1 "'vmvault adopt'"
}

@test "adopt without a state makes none" {
    rm -r "$VMVAULT_VAR"
    run --separate-stderr vmvault adopt
    fails_with 1 "no state in '$VMVAULT_VAR'"
    [ ! -e "$VMVAULT_VAR" ]
}

@test "a state directory with a blank in its name is refused" {
    VMVAULT_VAR="$BATS_TEST_TMPDIR/my backups" run --separate-stderr vmvault list
    fails_with 2 'my backups' VMVAULT_VAR
}

@test "no libvirt: the cause, the URI and the remedy" {
    run --separate-stderr vmvault --connect 'qemu:///system?socket=/nonexistent' backup web
    fails_with 1 'qemu:///system?socket=/nonexistent' 'is libvirtd running'
}

@test "another machine's libvirt is refused" {
    run --separate-stderr vmvault --connect qemu+ssh://far.example/system backup web
    fails_with 2 far.example
}

@test "a state file that is none is named" {
    echo garbage | dd of="$VMVAULT_VAR/state.db" conv=notrunc status=none
    run --separate-stderr vmvault list
    fails_with 1 "$VMVAULT_VAR/state.db"
}

@test "a damaged description of the datastore is named" {
    echo '<DATASTORE>' >"$VMVAULT_VAR/datastores/100.xml"
    run --separate-stderr vmvault list
    fails_with 1 "$VMVAULT_VAR/datastores/100.xml" damaged
}

@test "who may not talk to libvirt is sent to root, or to a session of their own" {
    OPEN=$(mktemp -d)  # where another user may go, which bats' own directory need not be
    chmod 755 "$OPEN"
    [ "$(id -u)" -eq 0 ] && setpriv --reuid=nobody --clear-groups test -x "$BUILD/drivers/cli/vmvault" ||
        skip 'needs another user'
    install -d -o nobody "$OPEN/var"
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$OPEN/sock"
    chmod 600 "$OPEN/sock"
    # The fakes and their settings are below bats's directory.
    as_nobody() {
        setpriv --reuid=nobody --clear-groups env -u VMVAULT_REMOTES VMVAULT_VAR="$OPEN/var" \
            "$BUILD/drivers/cli/vmvault" "$@"
    }
    as_nobody list 2>/dev/null
    run --separate-stderr as_nobody --connect "qemu:///system?socket=$OPEN/sock" backup web
    fails_with 1 'as root' 'qemu:///session'
}

@test "an answer that cannot be written is a failure" {
    run --separate-stderr bash -c "'$BUILD/drivers/cli/vmvault' list --json >/dev/full"
    fails_with 1 'write the answer'
}

@test "a long one is, too, and what the service reports" {
    local n
    for n in {1..40}; do vmvault backup web --full >/dev/null; done
    run -0 vmvault list --json
    [ "${#output}" -gt 8192 ]
    # What is longer than the buffer is written at once, and leaves the last flush nothing to fail of.
    run --separate-stderr bash -c "'$BUILD/drivers/cli/vmvault' list --json >/dev/full"
    fails_with 1 'write the answer'
    run -1 --separate-stderr bash -c "'$BUILD/drivers/vmvaultd/vmvaultd' --queue >/dev/full"
    [[ $stderr == *'write the answer'* ]]
}

@test "a state that is read-only is told as that by what only looks, too" {
    can_unshare || skip 'no mount namespaces here'
    local verb
    for verb in list 'show 1' status; do
        # shellcheck disable=SC2016,SC2086
        run --separate-stderr unshare -m --propagation private sh -c \
            'mount --bind "$VMVAULT_VAR" "$VMVAULT_VAR" && mount -o remount,bind,ro "$VMVAULT_VAR" && exec "$@"' _ \
            "$BUILD/drivers/cli/vmvault" $verb
        fails_with 1 "cannot write to the state directory '$VMVAULT_VAR'" 'Read-only file system'
    done
}

@test "a state on a full file system is told as that" {
    can_unshare || skip 'no mount namespaces here'
    vmvault backup web >/dev/null
    local verb
    for verb in list 'show 1' 'backup web'; do
        # shellcheck disable=SC2016,SC2086
        run --separate-stderr unshare -m --propagation private sh -c \
            'cp -a "$VMVAULT_VAR/." "$1" && mount -t tmpfs -o size=6m,mode=700 none "$VMVAULT_VAR" &&
             cp -a "$1/." "$VMVAULT_VAR" && { cat /dev/zero >"$VMVAULT_VAR/rest" 2>/dev/null; shift; exec "$@"; }' _ \
            "$(mktemp -d -p "$BATS_TEST_TMPDIR")" "$BUILD/drivers/cli/vmvault" $verb
        echo "$verb: $stderr"
        fails_with 1 "$VMVAULT_VAR" 'is full'
    done
}
