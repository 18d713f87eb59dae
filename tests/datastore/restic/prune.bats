# SPDX-License-Identifier: Apache-2.0
# When the space of removed backups is given back.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

setup() {
    store_setup
    with_repository
    head -c 300000 /dev/urandom >"$FILES/disk.0.0"
    write_vm_xml
    backup_ok
    IMAGE=$(image "0:$ID")
    NOTE=$VMVAULT_VAR/restic-prune.100.12
}

rm_image() { image_action rm "$IMAGE" 57; }
data() { find "$BASE/12/data" -type f; }
prune() { "$BUILD/datastore/restic/prune" "$@"; }
monitor() { action datastore/restic/monitor 100 < <(request "$(datastore)"); }
policy() { EXTRA="<RESTIC_PRUNE>$1</RESTIC_PRUNE><RESTIC_PRUNE_WINDOW>${2-}</RESTIC_PRUNE_WINDOW>"; }
ALWAYS=00:00-24:00 NEVER=00:00-00:00

@test "now, which is the default: rm gives the space back" {
    run -0 --separate-stderr rm_image
    [ -z "$output$stderr$(data)" ]
    [ ! -e "$NOTE" ]
}

@test "never: rm only forgets, and a prune by hand gives the space back" {
    policy never
    run -0 --separate-stderr rm_image
    [ -z "$output$stderr$(snapshots)" ]
    [ -n "$(data)" ]
    publish_datastore
    run -0 --separate-stderr prune 100
    [ "$output" = 12 ]
    [ -z "$(data)" ]
    run -0 --separate-stderr prune 100
    [ -z "$output" ]
    run -0 --separate-stderr prune 100 12 13 job_4
    [ "$output" = 12 ]
    run -2 --separate-stderr prune 100 ../12
    one_line '../12'
}

@test "window: outside of it rm only forgets, and a monitor in it has the space given back" {
    policy window $NEVER
    run -0 --separate-stderr rm_image
    run -0 --separate-stderr monitor
    [ -z "$(snapshots)" ]
    [ -n "$(data)" ]
    [ -e "$NOTE" ]
    policy window $ALWAYS
    publish_datastore
    run -0 --separate-stderr monitor
    eventually test ! -e "$NOTE"
    [ -z "$(data)" ]
    eventually grep -qx 12 "$VMVAULT_VAR/restic-pruning.100.log"
}

@test "window: in it rm gives the space back" {
    policy window $ALWAYS
    run -0 --separate-stderr rm_image
    [ -z "$(data)" ]
}

@test "what is no policy is refused before anything goes" {
    policy later
    run -2 --separate-stderr rm_image
    one_line 'RESTIC_PRUNE is no policy'
    policy window night
    run -2 --separate-stderr rm_image
    one_line 'RESTIC_PRUNE_WINDOW'
    EXTRA='<RESTIC_PRUNE_MAX_UNUSED>5; rm</RESTIC_PRUNE_MAX_UNUSED>'
    run -2 --separate-stderr rm_image
    one_line 'RESTIC_PRUNE_MAX_UNUSED'
    [ "$(snapshots)" = "$ID" ]
    run -0 --separate-stderr monitor
}

@test "the limits of pruning are passed on" {
    with_fakes
    export FAKE_RESTIC_LOG=$BATS_TEST_TMPDIR/restic.log
    IMAGE=$(image 0:aaaaaaaa)   # which is what it has
    EXTRA='<RESTIC_PRUNE_MAX_UNUSED>5%</RESTIC_PRUNE_MAX_UNUSED><RESTIC_PRUNE_MAX_REPACK>2G</RESTIC_PRUNE_MAX_REPACK>'
    run -0 rm_image
    grep -q '^argv.* forget aaaaaaaa$' "$FAKE_RESTIC_LOG"
    grep -q '^argv.* prune --max-unused=5% --max-repack-size=2G$' "$FAKE_RESTIC_LOG"
}

@test "a prune that fails is no failure of rm, and is made up for by the next" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\ncase " $* " in *" prune "*) echo "Fatal: no fire" >&2; exit 1 ;; esac\nexec %q "$@"\n' \
        "$(command -v restic)" >"$bin/restic"
    chmod +x "$bin/restic"
    PATH=$bin:$PATH run -0 --separate-stderr rm_image
    [[ $stderr == 'WARN: rm: '*'no fire' ]]
    [ -z "$(snapshots)" ]
    [ -n "$(data)" ]
    [ -e "$NOTE" ]
    run -0 --separate-stderr rm_image
    [ -z "$(data)" ]
}

@test "a store that keeps what restic removes is an error, whatever restic says" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\ncase " $* " in *" forget "*) exit 0 ;; esac\nexec %q "$@"\n' \
        "$(command -v restic)" >"$bin/restic"
    chmod +x "$bin/restic"
    PATH=$bin:$PATH run -1 --separate-stderr rm_image
    one_line 'the store keeps them'
}

@test "what a killed rm has forgotten but not pruned is pruned by the next" {
    restic_here forget "$ID"
    [ -n "$(data)" ]
    run -0 --separate-stderr rm_image
    [ -z "$(data)" ]
}

@test "what a backup that failed has stored is given back with the next prune" {
    policy never
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\n%q "$@" || exit\ncase " $* " in *" backup "*) exit 3 ;; esac\n' "$(command -v restic)" >"$bin/restic"
    chmod +x "$bin/restic"
    head -c 300000 /dev/urandom >"$FILES/disk.0.0"
    data >"$BATS_TEST_TMPDIR/before"
    PATH=$bin:$PATH run -1 --separate-stderr backup
    [ "$(snapshots)" = "$ID" ]
    [ "$(data | wc -l)" -gt "$(wc -l <"$BATS_TEST_TMPDIR/before")" ]
    publish_datastore
    run -0 --separate-stderr prune 100
    [ "$output" = 12 ]
    [ "$(data | sort)" = "$(sort "$BATS_TEST_TMPDIR/before")" ]
}

@test "one repository that cannot be pruned does not keep the others from it" {
    policy never
    rm_image
    publish_datastore
    : >"$VMVAULT_VAR/restic-prune.100.11"   # sorts before 12
    mkdir "$BASE/11"
    run -1 --separate-stderr prune 100
    one_line 'could not be pruned: 11'
    [ -z "$(data)" ]
    [ -e "$VMVAULT_VAR/restic-prune.100.11" ]
}

@test "vmvault datastore prune: what was deleted, or every repository" {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/home
    unset VMVAULT_CORE_DIR
    run -0 vmvault init
    run -0 --separate-stderr vmvault datastore prune
    [ "$output" = 'datastore 100: nothing to prune' ]
    run -0 --separate-stderr vmvault datastore prune --all
    [ "$output" = 'datastore 100: nothing to prune' ]
    "$FIXTURES/restic_repository" "$VMVAULT_VAR/repo/12" "$(cat "$VMVAULT_VAR/restic.password")"
    touch "$VMVAULT_VAR/restic-prune.100.12"
    run -0 --separate-stderr vmvault datastore prune
    [ "$output" = 'datastore 100: pruned 1 repository' ]
    run -1 --separate-stderr vmvault datastore prune 7
    [[ $stderr == *'there is no datastore 7 ('* ]]
    run -2 vmvault datastore
}
