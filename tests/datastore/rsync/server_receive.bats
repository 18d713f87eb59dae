# SPDX-License-Identifier: Apache-2.0
# Uploads, as the server of an rsync datastore takes them.

load ../../helper
load server

# a disk with noise, a hole, and noise
make_disk() {
    { head -c 3000001 /dev/urandom; head -c 2000000 /dev/zero; head -c 1000000 /dev/urandom; } >"$SRC/$1"
}
is_stored() { cmp "$SRC/$2" "$BASE/7/$1/$2"; }

@test "files come as they are: bytes, holes, mode and time" {
    make_disk disk.0.0
    printf xml >"$SRC/vm.xml"
    : >"$SRC/empty"
    chmod 640 "$SRC/disk.0.0"
    touch -d '2001-02-03 04:05:06.789' "$SRC/disk.0.0"
    run -0 receive abcdef "$SRC"/* -- send:disk.0.0 send:vm.xml send:empty commit
    [ "${lines[-1]}" = '{"committed": "abcdef"}' ]
    is_stored abcdef disk.0.0 && is_stored abcdef vm.xml && is_stored abcdef empty
    [ "$(stat -c '%a %y' "$BASE/7/abcdef/disk.0.0")" = "$(stat -c '%a %y' "$SRC/disk.0.0")" ]
    [ "$(stat -c %b "$BASE/7/abcdef/disk.0.0")" -lt $(((4000001 + 65536) / 512)) ]
    [ "$(ls -A "$BASE/7")" = abcdef ]
    [ "$(ls -A "$BASE/7/abcdef")" = $'disk.0.0\nempty\nvm.xml' ]
}

@test "without -S and -a nothing is left out, and the attributes are not taken over" {
    make_disk disk.0.0
    touch -d 2001-02-03 "$SRC/disk.0.0"
    OPTIONS='{"archive": false, "sparse": false}' run -0 receive abcdef "$SRC/disk.0.0" -- \
        begin:disk.0.0 data:disk.0.0:0:3000001 zeros:2000000 data:disk.0.0:5000001:9999999 \
        end:disk.0.0 commit
    is_stored abcdef disk.0.0
    [ "$(stat -c %b "$BASE/7/abcdef/disk.0.0")" -ge $((6000001 / 512)) ]
    [ "$(stat -c %Y "$BASE/7/abcdef/disk.0.0")" -gt 1000000000 ]
    [ "$(stat -c %a "$BASE/7/abcdef/disk.0.0")" = 600 ]
}

@test "parts may be compressed, zeros, or from a base, moved or changed" {
    make_disk disk.0.0
    printf sig >"$SRC/rsig.0.0"
    seq 100000 >"$SRC/blocks.0.0"
    run -0 receive aaaaaa "$SRC"/* -- send:disk.0.0 send:rsig.0.0 send:blocks.0.0 commit
    { head -c 1000 /dev/urandom; cat "$SRC/disk.0.0"; head -c 5000 /dev/urandom; } >"$SRC/disk.0.3"
    { seq 100000; echo more; } >"$SRC/blocks.0.3"
    # 1000 bytes as they are, 3000000 of the base
    { printf 'rs\x026\x42\x03\xe8'; head -c 1000 "$SRC/disk.0.3"
        printf '\x4f\0\0\0\0\0\x2d\xc6\xc0\0'; } >"$SRC/delta"
    run -0 receive bbbbbb "$SRC/disk.0.3" "$SRC/blocks.0.3" -- base:disk.0.3 \
        begin:disk.0.3:0:aaaaaa "delta:$SRC/delta" copy:3000000:1 zeros:2000000 \
        copy:5000001:999999 end:disk.0.3 \
        begin:disk.0.3:0:aaaaaa "delta:$SRC/delta" copy:3000000:1 zeros:1999999 \
        copy:5000000:1000001 deflated:disk.0.3:6001001:99999 end:disk.0.3 \
        begin:blocks.0.3:0:aaaaaa "copy:0:$(stat -c %s "$SRC/blocks.0.0")" \
        "data:blocks.0.3:$(stat -c %s "$SRC/blocks.0.0"):99" end:blocks.0.3 fetch:rsig.0.0:aaaaaa commit
    [ "$(jq -c '[.name, .file, .size]' <<<"${lines[0]}")" = '["aaaaaa","disk.0.0",6000001]' ]
    [ "$(jq -r '.side."rsig.0.0"' <<<"${lines[0]}")" = "$(sha256sum <"$SRC/rsig.0.0" | cut -d' ' -f1)" ]
    [[ ${lines[1]} == *'"ok": false'* ]]
    [[ ${lines[2]} == *'"ok": true'* ]]
    [ "${lines[-1]}" = 'sig{"committed": "bbbbbb"}' ]
    is_stored bbbbbb disk.0.3 && is_stored bbbbbb blocks.0.3
}

@test "a file that is not what was sent is as if it had never come" {
    make_disk disk.0.0
    run -1 --separate-stderr receive abcdef "$SRC/disk.0.0" -- begin:disk.0.0 data:disk.0.0:0:100000000 lie:disk.0.0 \
        begin:disk.0.0 data:disk.0.0:0:100 end:disk.0.0 commit
    [[ ${lines[0]} == *'"ok": false'* && ${lines[1]} == *'"ok": false'* ]]
    [[ ${lines[2]} == *'"error"'*disk.0.0* ]]
    run list
    [ "$output" = '{}' ]
}

@test "an upload that was cut off goes on where it stopped, and no other does" {
    make_disk disk.0.0
    printf xml >"$SRC/vm.xml"
    local mark=$BATS_TEST_TMPDIR/mark greeting=$BATS_TEST_TMPDIR/greeting
    begun "$mark" abcdef "$SRC"/* -- send:vm.xml begin:disk.0.0 data:disk.0.0:0:3000000 "mark:$mark"
    eventually eval '[ "$(stat -c %s "$BASE/7/abcdef.partial/disk.0.0")" -ge 2097152 ]'
    kill_both "$mark"
    run list
    [ "$output" = '{}' ]
    GREETING=$greeting run -0 receive 123456 "$SRC"/* -- send:disk.0.0 send:vm.xml commit
    [ "${lines[-1]}" = '{"committed": "123456"}' ]
    [ "$(jq '.files."vm.xml".done' "$greeting")" = true ]
    [ "$(jq '.files."disk.0.0".size' "$greeting")" -ge 2097152 ]
    is_stored 123456 disk.0.0 && is_stored 123456 vm.xml
    [ "$(ls -A "$BASE/7")" = 123456 ]

    begun "$mark.2" 222222 "$SRC"/* -- send:vm.xml "mark:$mark.2"
    KEY=$(printf 1%.0s {1..64}) run -0 receive 333333 "$SRC/vm.xml" -- send:vm.xml commit
    [ -e "$BASE/7/222222.partial" ]   # it lives
    kill_both "$mark.2"
    KEY=$(printf 1%.0s {1..64}) run -0 receive 444444 "$SRC/vm.xml" -- send:vm.xml commit
    [ ! -e "$BASE/7/222222.partial" ]
}

@test "two uploads at once do not meet, even under one name and of one key" {
    printf xml >"$SRC/vm.xml"
    local mark=$BATS_TEST_TMPDIR/mark
    begun "$mark" abcdef "$SRC/vm.xml" -- send:vm.xml "mark:$mark"
    run -0 receive abcdef "$SRC/vm.xml" -- send:vm.xml commit
    [[ ${lines[-1]} == *committed* && ${lines[-1]} != *abcdef* ]]
    [ -e "$BASE/7/abcdef.partial/vm.xml" ]
    kill_both "$mark"
}

@test "what was killed in its first step, or in its last, is in nobody's way" {
    printf xml >"$SRC/vm.xml"
    local files
    for files in '' .lock 'vm.xml .lock'; do
        rm -rf "$BASE/7"
        mkdir -p "$BASE/7/abcdef.partial"
        for file in $files; do printf old >"$BASE/7/abcdef.partial/$file"; done
        run -0 receive abcdef "$SRC/vm.xml" -- send:vm.xml commit
        [ "${lines[-1]}" = '{"committed": "abcdef"}' ]
        [ "$(ls -A "$BASE/7")" = abcdef ]
        cmp "$BASE/7/abcdef/vm.xml" "$SRC/vm.xml"
    done
}

@test "killed at any step it leaves nothing that passes for a backup" {
    printf xml >"$SRC/vm.xml"
    make_disk disk.0.0
    local at mark=$BATS_TEST_TMPDIR/mark
    local steps=(send:vm.xml begin:disk.0.0 data:disk.0.0:0:2500000 data:disk.0.0:2500000:99999999 end:disk.0.0)
    for at in 0 1 2 3 4 5; do
        begun "$mark.$at" abcdef "$SRC"/* -- "${steps[@]:0:at}" "mark:$mark.$at"
        kill_both "$mark.$at"
        run list
        [ "$output" = '{}' ]
    done
    run -0 receive abcdef "$SRC"/* -- send:vm.xml send:disk.0.0 commit
    is_stored abcdef disk.0.0
    [ "$(ls -A "$BASE/7")" = abcdef ]
}

@test "frames that there are not end it in a line" {
    printf xml >"$SRC/vm.xml"
    local step
    for step in raw:58000000010a raw:44001000010a raw:44ffffffff raw:440000000161 raw:5a0000000101 \
        'message:{' 'message:{"file":"../x","from":0,"base":null}' 'message:{"end":3}' \
        'message:{"file":"other","from":0,"base":null}' 'message:[]' commit fetch:vm.xml:abcdef; do
        run --separate-stderr receive abcdef "$SRC/vm.xml" -- "$step"
        [ "$status" -ne 0 ]
        [[ $output == *'"error"'* || $stderr == *KeyError* ]]
    done
    for step in copy:0:1 "delta:$SRC/vm.xml" zeros:18446744073709551615 raw:7a0000000500000001ff \
        'message:{"fetch":"vm.xml","of":"abcdef"}' begin:vm.xml; do
        run --separate-stderr receive abcdef "$SRC/vm.xml" -- begin:vm.xml "$step" end:vm.xml
        [ "$status" -ne 0 ]
        [[ $output == *'"error"'* ]]
    done
    run --separate-stderr receive abcdef "$SRC/vm.xml" -- begin:vm.xml:7 end:vm.xml
    [ "$status" -ne 0 ]
    run --separate-stderr receive abcdef "$SRC/vm.xml" -- begin:vm.xml:0:aaaaaa end:vm.xml
    [ "$status" -ne 0 ]
    run list
    [ "$output" = '{}' ]
}

@test "a delta that does not fit its base is refused" {
    make_disk disk.0.0
    printf sig >"$SRC/rsig.0.0"
    printf sum >"$SRC/blocks.0.0"
    run -0 receive aaaaaa "$SRC"/* -- send:disk.0.0 send:rsig.0.0 send:blocks.0.0 commit
    local delta
    # beyond the end of the base; no end; no delta
    for delta in 'rs\x026\x48\x7f\xff\xff\xff\x10\x00' 'rs\x026\x03abc' 'rs\x026\xffabc' 'nonsense'; do
        # shellcheck disable=SC2059
        printf "$delta" >"$BATS_TEST_TMPDIR/delta"
        run --separate-stderr receive bbbbbb "$SRC/disk.0.0" -- begin:disk.0.0:0:aaaaaa \
            "delta:$BATS_TEST_TMPDIR/delta" end:disk.0.0
        [ "$status" -ne 0 ]
        [[ $output == *'"error"'*delta* ]]
    done
    run --separate-stderr receive bbbbbb "$SRC/disk.0.0" -- begin:disk.0.0:0:aaaaaa copy:6000000:2 end:disk.0.0
    [[ $output == *'"error"'*base* ]]
}

@test "links that somebody planted lead nowhere" {
    local out=$BATS_TEST_TMPDIR/outside mark=$BATS_TEST_TMPDIR/mark
    printf xml >"$SRC/vm.xml"
    mkdir "$out" "$BASE/7"
    echo old >"$out/victim"
    begun "$mark" abcdef "$SRC/vm.xml" -- begin:vm.xml data:vm.xml:0:2 "mark:$mark"
    kill_both "$mark"
    ln -sf "$out/victim" "$BASE/7/abcdef.partial/vm.xml"
    run receive abcdef "$SRC/vm.xml" -- begin:vm.xml data:vm.xml:0:3 end:vm.xml commit
    [ "$(cat "$out/victim")" = old ]
    rm -rf "$BASE/7"
    ln -s "$out" "$BASE/7"
    run -1 receive abcdef "$SRC/vm.xml" -- send:vm.xml commit
    [ "$(ls "$out")" = victim ]
}

@test "a full disk is one clear line, and the room is given back" {
    unshare -m true 2>/dev/null || skip "no mount namespaces here"
    head -c 8000000 /dev/urandom >"$SRC/disk.0.0"
    export BASE SRC
    run --separate-stderr unshare -m --propagation private bash -c "
        mount -t tmpfs -o size=4m none '$BASE' &&
        '$ROOT/tests/fixtures/rsync_client' receive '$BASE' 7 abcdef '$SRC/disk.0.0' -- send:disk.0.0 commit
        echo status=\$? left=\$(ls '$BASE/7')"
    [[ $output == *'"error"'*'No space left on device'* || $stderr == *'No space left on device'* ]]
    [ "${lines[-1]}" = 'status=1 left=' ]
    [ "$(grep -c 'No space left' <<<"$stderr")" -eq 1 ]
}
