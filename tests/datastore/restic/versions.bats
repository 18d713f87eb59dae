# SPDX-License-Identifier: Apache-2.0
# Releases of restic differ in exit codes and words: to us they do not.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

RELEASES='0.14.0 0.15.2 0.16.5 0.17.0 0.17.3 0.18.1'

setup() {
    store_setup
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log VMVAULT_RESTIC_LOCK_WAIT=0
    mkdir "$BASE"
    echo x >"$FILES/disk.0.0"
    write_vm_xml
    IMAGE=$(image 0:aaaaaaaa)
}

# each COMMAND...: with every release; RELEASE is its number
each() {
    for RELEASE in $RELEASES; do
        rm -f "$FAKE_RESTIC_LOG"
        echo "restic $RELEASE:"
        FAKE_RESTIC_VERSION=$RELEASE "$@"
    done
}

called() { grep -q "^argv.* $1" "$FAKE_RESTIC_LOG"; }

@test "a backup prints eight digits" {
    eight() {
        run -0 --separate-stderr backup
        [ "$output" = 'aaaaaaaa 1 raw' ]
    }
    each eight
}

@test "a repository that is not there is made" {
    made() {
        FAKE_RESTIC_FAIL=no_repository run -0 --separate-stderr backup
        called init
    }
    each made
}

@test "a repository that is not there is named to who reads" {
    named() {
        mkdir -p "$BASE/12"
        FAKE_RESTIC_FAIL=no_repository run -1 --separate-stderr image_action rm "$IMAGE" 57
        one_line "there is no restic repository at $BASE/12"
    }
    each named
}

@test "a wrong password is named, and never answered with init" {
    wrong() {
        FAKE_RESTIC_FAIL=wrong_password run -1 --separate-stderr backup
        one_line 'RESTIC_PASSWORD) is wrong'
        run ! called init
    }
    each wrong
}

@test "a locked repository is told by its owner, and never answered with init" {
    owner() {
        FAKE_RESTIC_FAIL=locked run -1 --separate-stderr backup
        one_line 'by PID 7 on bk1 (user root), whose lock is 1m5s old'
        run ! called init
        called unlock
    }
    each owner
}

@test "a file that could not be read fails the backup, and its snapshot is removed" {
    incomplete() {
        FAKE_RESTIC_FAIL=incomplete run -1 --separate-stderr backup
        one_line 'could not be read'
        called 'forget .*aaaaaaaa'
    }
    each incomplete
}

@test "restic's own words are quoted without the password" {
    quoted() {
        PASSWORD=under-the-rose FAKE_RESTIC_FAIL=backup run -1 --separate-stderr backup
        one_line 'the store is on fire, ***!'
    }
    each quoted
}
