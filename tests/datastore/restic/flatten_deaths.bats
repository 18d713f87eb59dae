# SPDX-License-Identifier: Apache-2.0
# increment_flatten is killed at each step, and called again with the same request.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load flatten.bash

setup_file() { chain_setup 4; }

setup() { chain_copy; }

increment() {
    sequential "$FILES/disk.0.$1" 40 "$1=a" 20="$(printf "\\x$((61 + $1))")"
    [ "$1" -ne 0 ] || noise "$FILES/disk.0.0"
    sequential "$FILES/disk.2.$1" 12 "$1=b" 11=zero
}

# dies_at WORDS [WHEN]: the action is killed by its own restic, when that is called with these
# words: before it has done anything, or after; "half": after it has forgotten only one
dies_at() {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir -p "$bin"
    cat >"$bin/restic" <<SH
#!/bin/bash
die() { kill -KILL "\$(cut -d' ' -f1 '$VMVAULT_VAR/running/12.flatten')"; sleep 60 & wait; }
real=$(command -v restic)
case " \$* " in
    *'$1'*)
        case ${2-before} in
            before) die ;;
            half) "\$real" "\${@:1:\$#-2}"; die ;;
            after) "\$real" "\$@"; die ;;
        esac ;;
esac
exec "\$real" "\$@"
SH
    chmod +x "$bin/restic"
    # shellcheck disable=SC2046
    request "$(image $(entries))" "$(datastore)" "<EXTRA_DATA><KEEP_LAST>2</KEEP_LAST></EXTRA_DATA>" |
        base64 >"$BATS_TEST_TMPDIR/request"
    status=0
    PATH=$bin:$PATH "$BUILD/datastore/restic/increment_flatten" 57 <"$BATS_TEST_TMPDIR/request" \
        >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || status=$?
    [ $status -eq 137 ] || { cat "$BATS_TEST_TMPDIR/err"; return 1; }
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    # What it had started ends with it.
    eventually nobody_is_left
}
nobody_is_left() { ! pgrep -f "repo=$BASE/12 " >/dev/null; }

# converges: the same request gives what it would have given, and nothing else is there
converges() {
    flatten_ok 2
    [ "${CHAIN#*,}" = "3:${S[3]}" ]
    [ "$(snapshots)" = "$FLAT
${S[3]}" ]
    restores "$CHAIN"
    restic_here check --read-data
    nothing_left || { find "$SCRATCH" "$BASE/12/locks"; ls "$VMVAULT_VAR"; return 1; }
    # Nobody heard the answer: it is the same the next time.
    first=$output
    flatten_ok 2
    [ "$output" = "$first" ]
}

is_as_before() { [ "$(snapshots)" = "$(printf '%s\n' "${S[@]}")" ]; }

@test "killed when it begins to read" { dies_at ' dump '; is_as_before; converges; }

@test "killed when it is about to store" { dies_at ' backup --force '; is_as_before; converges; }

@test "killed while it stores" {
    flatten_slowly 2
    eventually is_storing
    kill -KILL "$(action_pid)"
    wait $slow || true
    eventually nobody_is_left
    converges
}

@test "killed when it has stored: the new snapshot is found, and not made again" {
    dies_at ' backup --force ' after
    [ "$(snapshots | wc -l)" -eq 5 ]
    made=$(restic_here snapshots --json --no-lock | jq -r '.[] | select(.tags[] | startswith("vmvault-flat-")).short_id')
    converges
    [ "$FLAT" = "$made" ]
}

@test "killed before it forgets" { dies_at ' forget '; [ "$(snapshots | wc -l)" -eq 5 ]; converges; }

@test "killed when one of the old ones is forgotten" {
    dies_at ' forget ' half
    [ "$(snapshots | wc -l)" -eq 4 ]
    converges
}

@test "killed when all are forgotten" { dies_at ' forget ' after; [ "$(snapshots | wc -l)" -eq 2 ]; converges; }

@test "killed when it is about to prune, or has" {
    dies_at ' prune '
    converges
    rm -r "$BASE"; cp -r "$BATS_FILE_TMPDIR/base" "$BASE"
    dies_at ' prune ' after
    converges
}

@test "killed, and another increment came before the next call" {
    dies_at ' forget ' half
    FILES=$STORED VMDIR=${STORED%/backup}
    mkdir -p "$FILES"
    increment 4
    write_vm_xml
    LAST=3 DISKS=0:2 backup_ok
    S+=("$ID")
    rm -r "$VMDIR"
    flatten_ok 2
    [ "$CHAIN" = "3:$FLAT,4:$ID" ]
    [ "$(snapshots)" = "$FLAT
$ID" ]
    restores "3:$FLAT"
}

@test "killed, and the image is removed: with what was stored" {
    dies_at ' forget '
    # shellcheck disable=SC2046
    run -0 --separate-stderr image_action rm "$(image $(entries))" 57
    [ -z "$(snapshots)" ]
}

@test "half a snapshot is not taken for a whole one" {
    # As it is when the reader of the disks dies, and restic goes on for a moment.
    mkdir -p "$STORED"
    vm | base64 >"$STORED/vm.xml"
    ln -s nothing "$STORED/disk.0.2"   # named, but not there
    restic_here backup --tag one-12 --tag "vmvault-flat-${S[0]}-${S[1]}-${S[2]}" "$STORED/vm.xml" "$STORED/disk.0.2"
    rm -r "${STORED%/backup}"
    [ "$(snapshots | wc -l)" -eq 5 ]
    converges
}

@test "killed in the middle of copies: the next call removes them" {
    can_unshare || skip 'no mount namespaces here'
    VIA=without_fuse flatten_slowly 2
    eventually has_copies
    kill -KILL "$(action_pid)"
    wait $slow || true
    [ -n "$(ls "$SCRATCH")" ]
    eventually nobody_is_left
    converges
}
has_copies() { [ -n "$(find "$SCRATCH" -name 'disk.*')" ]; }
