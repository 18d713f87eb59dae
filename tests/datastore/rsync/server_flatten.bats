# SPDX-License-Identifier: Apache-2.0
# Merged disks, and increments merged on the server of an rsync datastore.

load ../../helper
load server

chain=0:aaaaaa,1:bbbbbb,2:cccccc,3:dddddd

# Four increments as stock leaves them, of many layouts, with what is in between when it is killed:
# $ORIGIN/7 before a flatten, $ORIGIN/2.raw and $ORIGIN/3.raw what they hold.
setup_file() {
    export ORIGIN=$BATS_FILE_TMPDIR/origin
    mkdir -p "$ORIGIN"/7/{aaaaaa,bbbbbb,cccccc,dddddd}
    cd "$ORIGIN/7" || return
    head -c 3M /dev/urandom >"$ORIGIN/raw"
    truncate -s 4M "$ORIGIN/raw"
    qemu-img convert -q -c -O qcow2 "$ORIGIN/raw" aaaaaa/disk.0.0
    qemu-img create -q -f qcow2 -F qcow2 -b "$PWD/aaaaaa/disk.0.0" bbbbbb/disk.0.1 5M
    qemu-io -f qcow2 -c 'write -q -P 1 100k 300k' -c 'write -q -z 1M 512k' bbbbbb/disk.0.1
    qemu-img create -q -f qcow2 -o cluster_size=4k -F qcow2 -b "$PWD/bbbbbb/disk.0.1" cccccc/disk.0.2 5M
    qemu-io -f qcow2 -c 'write -q -P 2 0 4k' -c 'write -q -z 2M 1M' cccccc/disk.0.2
    qemu-img create -q -f qcow2 -F qcow2 -b "$PWD/cccccc/disk.0.2" dddddd/disk.0.3 6M
    qemu-io -f qcow2 -c 'write -q -P 3 5M 64k' dddddd/disk.0.3
    local name i=0
    for name in aaaaaa bbbbbb cccccc dddddd; do
        echo "xml $name" >$name/vm.xml
        echo "tpm $name" >$name/disk.tpm.0
        echo '{"vm":7,"increment":'$i',"parent":'$((i - 1))',"disks":[{"id":0,"target":"vda","file":"disk.0.'$i'","kind":"increment"}]}' >$name/vmvault.json
        ((i < 2)) || "$FIXTURES/sums" $name/disk.0.$i >$name/sums.0.$i
        i=$((i + 1))
    done
    qemu-img convert -q -O raw cccccc/disk.0.2 "$ORIGIN/2.raw"
    qemu-img convert -q -O raw dddddd/disk.0.3 "$ORIGIN/3.raw"
    chmod 640 cccccc/disk.0.2
}

before() { rm -rf "$BASE/7"; cp -a "$ORIGIN/7" "$BASE/"; }
# flatten [KEEP [CHAIN]]
# shellcheck disable=SC2120
flatten() { ask flatten base="$BASE" vm=7 "chain=\"${2:-$chain}\"" keep="${1:-2}"; }
merged() { ask merge base="$BASE" vm=7 "chain=\"$1\"" disk=0 >"$BATS_TEST_TMPDIR/merged"; }
# holds CHAIN RAW: that is what a reader of the chain gets
holds() {
    merged "$1" && qemu-img check -q "$BATS_TEST_TMPDIR/merged" &&
        qemu-img compare -q -f qcow2 -F raw "$BATS_TEST_TMPDIR/merged" "$ORIGIN/$2.raw"
}
old_readers_are_right() { holds "${chain%,*}" 2 && holds "$chain" 3; }
is_flat() {
    [ "$(ls -A "$BASE/7")" = $'cccccc\ndddddd' ]
    [ "$(ls -A "$BASE/7/cccccc")" = $'disk.0.2\ndisk.tpm.0\nvm.xml\nvmvault-flat.json\nvmvault.json' ]
    holds 2:cccccc,3:dddddd 3
    holds 2:cccccc 2
    old_readers_are_right
}

@test "a chain of files of any layout is merged as qemu reads it" {
    before
    old_readers_are_right
    holds "${chain%%,*}" 2 && false
    run -0 find "$BASE" -newer "$ORIGIN/3.raw" -type f -mmin -0.01
    run -1 --separate-stderr merged 1:bbbbbb
    [[ $stderr == *"another file behind it"* && ${#stderr_lines[@]} -eq 1 ]]
    run -1 --separate-stderr merged 0:aaaaaa,1:ffffff
    [[ $stderr == *ffffff* ]]
}

@test "a flatten merges the oldest under the name of the last of them" {
    before
    run -0 flatten
    [ "$(jq -r .chain <<<"$output")" = 2:cccccc,3:dddddd ]
    [ "$(jq .mib <<<"$output")" -eq $((($(stat -c %s "$BASE/7/cccccc/disk.0.2") + 1048575) >> 20)) ]
    is_flat
    [ "$(cat "$BASE/7/cccccc/disk.tpm.0")" = "tpm cccccc" ]
    [ "$(jq -c '[.parent, .disks[0].kind, .disks[0].file_size]' "$BASE/7/cccccc/vmvault.json")" = \
        "[-1,\"full\",$(stat -c %s "$BASE/7/cccccc/disk.0.2")]" ]
    [ "$(stat -c %a "$BASE/7/cccccc/disk.0.2")" = 640 ]
    qemu-img info "$BASE/7/cccccc/disk.0.2" | grep -q backing && false
    run -0 flatten 1 2:cccccc,3:dddddd
    [ "$(jq -r .chain <<<"$output")" = 3:dddddd ]
    [ "$(ls -A "$BASE/7")" = dddddd ]
    holds 3:dddddd 3
}

@test "a rerun ends the same wherever the one before was killed" {
    before
    flatten
    local after=$BATS_TEST_TMPDIR/after vm=$BASE/7 state
    mv "$BASE/7" "$after"
    for state in begun built exchanged half-removed; do
        before
        case $state in
            begun) mkdir "$vm/cccccc.flat" && touch "$vm/cccccc.flat/.lock"
                head -c 1000 "$after/cccccc/disk.0.2" >"$vm/cccccc.flat/disk.0.2" ;;
            built) cp -a "$after/cccccc" "$vm/cccccc.flat" && touch "$vm/cccccc.flat/.lock" ;;
            *) mv "$vm/cccccc" "$vm/cccccc.flat"
                cp -a "$after/cccccc" "$vm/cccccc" && touch "$vm/cccccc/.lock" ;;&
            half-removed) rm -r "$vm/aaaaaa" && mv "$vm/bbbbbb" "$vm/bbbbbb.12345678.gone" ;;
        esac
        old_readers_are_right || { echo "readers after $state"; return 1; }
        run -0 flatten
        [ "$(jq -r .chain <<<"$output")" = 2:cccccc,3:dddddd ]
        is_flat || { echo "after $state"; return 1; }
    done
    # Where two names cannot be exchanged: between the two renames, and after them.
    before
    mv "$vm/cccccc" "$vm/cccccc.old" && cp -a "$after/cccccc" "$vm/cccccc.flat"
    run -0 flatten
    is_flat
    before
    mv "$vm/cccccc" "$vm/cccccc.old" && cp -a "$after/cccccc" "$vm/cccccc.flat"
    run -0 flatten 3   # which would have merged less
    [ "$(jq -r .chain <<<"$output")" = 2:cccccc,3:dddddd ]
    is_flat
    before
    mv "$vm/cccccc" "$vm/cccccc.old" && cp -a "$after/cccccc" "$vm/cccccc.flat"
    run -0 flatten 1   # and more
    [ "$(ls -A "$BASE/7")" = dddddd ]
    holds 3:dddddd 3
    before
    mv "$vm/cccccc" "$vm/cccccc.old" && cp -a "$after/cccccc" "$vm/cccccc"
    run -0 flatten
    is_flat
    before
    mv "$vm/cccccc" "$vm/cccccc.old"
    run -0 flatten
    is_flat
}

# stepped N: from now on the server is killed before its N-th step (0: never), and cannot exchange two
# names
stepped() {
    export SERVER=$BATS_TEST_TMPDIR/server
    # Who is traced already cannot be looked through for leaks.
    printf '#!/bin/sh\nexport ASAN_OPTIONS=detect_leaks=0\nexec %q %d %q\n' "$BUILD/tests/datastore/rsync/stepped" "$1" \
        "$BUILD/datastore/rsync/server" >"$SERVER"
    chmod 755 "$SERVER"
}

@test "where two names cannot be exchanged, a rerun ends the same whichever step was the last" {
    local n between=0
    stepped 0
    before
    run flatten
    [ "$status" -ne 77 ] || skip 'nobody may be traced here'
    [ "$status" -eq 0 ]
    is_flat
    for ((n = 1; n < 100; n++)); do
        before
        stepped $n
        run flatten
        [ "$status" -ne 0 ] || break
        [ "$status" -eq 137 ]
        stepped 0
        # Between the two renames nothing has the name; whoever reads has to wait.
        if [ -e "$BASE/7/cccccc" ]; then holds "$chain" 3; else between=$((between + 1)); fi
        run -0 flatten
        [ "$(jq -r .chain <<<"$output")" = 2:cccccc,3:dddddd ]
        [ "$(ls -A "$BASE/7")" = $'cccccc\ndddddd' ]
        holds 2:cccccc,3:dddddd 3
    done
    [ "$n" -gt 8 ] && [ "$n" -lt 100 ]
    [ "$between" -eq 1 ]
}

@test "killed at any moment it leaves a whole chain, and the next one ends it" {
    local i
    before
    for i in {1..12}; do
        [ $((i % 6)) -ne 0 ] || before
        KILL_AFTER=0.0$((i % 6)) flatten >/dev/null || true   # whenever that is
        old_readers_are_right
    done
    run -0 flatten
    is_flat
}

@test "another number of increments after a crash finds what is there" {
    before
    flatten
    # The core knows nothing of it yet, and asks for fewer, or for more.
    run -0 flatten 3
    [ "$(jq -r .chain <<<"$output")" = 2:cccccc,3:dddddd ]
    is_flat
    run -0 flatten 1
    [ "$(jq -r .chain <<<"$output")" = 3:dddddd ]
    [ "$(ls -A "$BASE/7")" = dddddd ]
    holds "$chain" 3
    run -1 --separate-stderr flatten 1 3:dddddd
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a check of the old chain knows which increments are merged, and reads them" {
    before
    local vm_xml
    vm_xml=$(base64 -w0 <<<'<VM></VM>')
    printf %s "$vm_xml" | tee "$BASE"/7/*/vm.xml >/dev/null
    flatten
    run -0 ask verify base="$BASE" vm=7 "chain=\"$chain\"" depth=data
    [ "$(jq -c '[.increments[].id]' <<<"$output")" = '[2,3]' ]
    [ "$(jq -r '.increments[0] | .problem + .disks[0].problem' <<<"$output")" = '' ]
    truncate -s 100k "$BASE/7/cccccc/disk.0.2"
    run -0 ask verify base="$BASE" vm=7 "chain=\"$chain\"" depth=structure
    [[ $(jq -r '.increments[0].disks[0].problem' <<<"$output") == *"102400 bytes instead of"* ]]
}

@test "a flatten that is told to end gives up, and so does one without room" {
    before
    # The end is there when it begins.
    local line requests=$BATS_TEST_TMPDIR/requests
    line=$(jq -nc '{do: "flatten", protocol: 1, base: $base, vm: 7, chain: $chain, keep: 2}' \
        --arg base "$BASE" --arg chain "$chain" | base64 -w0)
    mkfifo "$requests"
    exec 7<>"$requests" 8<"$requests"
    echo "$line" >&7
    exec 7>&-
    run -143 --separate-stderr "$BUILD/datastore/rsync/server" <&8
    exec 8<&-
    old_readers_are_right
    [ -e "$BASE/7/aaaaaa" ]
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    run --separate-stderr unshare -m --propagation private bash -c "
        mount -t tmpfs -o size=20m none '$BASE' && cp -a '$ORIGIN/7' '$BASE/' &&
        fallocate -l \$((\$(stat -f -c '%a * %S' '$BASE') - 500000)) '$BASE/filler' &&
        '$ROOT/tests/fixtures/rsync_client' ask flatten base='$BASE' vm=7 'chain=\"$chain\"' keep=2
        echo status=\$? left=\$(ls '$BASE/7')"
    [ "$output" = 'status=1 left=aaaaaa bbbbbb cccccc dddddd' ]
    [[ $stderr == *'No space left on device'* && ${#stderr_lines[@]} -eq 1 ]]
}

@test "what is no chain of qcow2 files is left alone" {
    before
    rm "$BASE/7/bbbbbb/disk.0.1" && ln -s ../aaaaaa/disk.0.0 "$BASE/7/bbbbbb/disk.0.1"
    run -1 --separate-stderr flatten
    [ "${#stderr_lines[@]}" -eq 1 ]
    before
    head -c 65536 /dev/urandom >"$BASE/7/bbbbbb/disk.0.1"
    run -1 --separate-stderr flatten
    [[ $stderr == *"no qcow2 magic"* ]]
    [ "$(ls "$BASE/7")" = $'aaaaaa\nbbbbbb\ncccccc\ndddddd' ]
}

@test "side files of the first increment are made anew for the merged one" {
    before
    echo x >"$BASE/7/aaaaaa/rsig.0.0"
    echo x >"$BASE/7/aaaaaa/blocks.0.0"
    run -0 flatten
    [ -s "$BASE/7/cccccc/blocks.0.2" ]
    [ "$(head -c 7 "$BASE/7/cccccc/blocks.0.2")" = vmvblk1 ]
    # Good enough to take all of the file from it.
    cp "$BASE/7/cccccc/disk.0.2" "$SRC/disk.0.4"
    run -0 receive eeeeee "$SRC/disk.0.4" -- begin:disk.0.4:0:cccccc \
        "copy:0:$(stat -c %s "$SRC/disk.0.4")" end:disk.0.4 commit
    [ "${lines[-1]}" = '{"committed": "eeeeee"}' ]
}
