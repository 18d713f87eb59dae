# SPDX-License-Identifier: Apache-2.0
# What the server of an rsync datastore answers, and what it never touches.

load ../../helper
load server

@test "it says who it is" {
    run -0 ask about
    [ "$(jq -r .sha256 <<<"$output")" = "$(sha256sum <"$BUILD/datastore/rsync/server" | cut -d' ' -f1)" ]
    [ "$(jq .version <<<"$output")" -eq 1 ]
}

@test "it needs nothing of the machine that it runs on" {
    [[ $(basename "$BUILD") != *-* ]] || skip "no sanitizer can be linked statically"
    run file -b "$BUILD/datastore/rsync/server"
    [[ $output == *"statically linked"* ]]
}

@test "the space is that of the datastore's directory, which is made" {
    run -0 ask space base="$BASE/deep/er"
    [ -d "$BASE/deep/er" ]
    [ "$(jq .total_mb <<<"$output")" -eq $(($(stat -f -c '%b * %S' "$BASE") >> 20)) ]
}

@test "backups are listed with their files, and missing ones as null" {
    stored abcdef
    touch "$BASE/7/abcdef/.lock" && mkdir "$BASE/7/abcdef/sub" "$BASE/7/123456.partial"
    run -0 list abcdef ffffff
    [ "$(jq -c '.abcdef | map([.name, .size])' <<<"$output")" = '[["disk.0.0",4096],["vm.xml",3]]' ]
    [ "$(jq .ffffff <<<"$output")" = null ]
    run -0 list
    [ "$(jq -c keys <<<"$output")" = '["abcdef"]' ]
    run -0 ask list base=/nonexistent vm=7 'names=["abcdef"]'
    [ "$output" = '{"abcdef":null}' ]
}

@test "a file is read, also from the middle" {
    stored abcdef
    run -0 ask read base="$BASE" vm=7 name=abcdef file=vm.xml
    [ "$output" = xml ]
    run -0 ask read base="$BASE" vm=7 name=abcdef file=vm.xml offset=1 length=1
    [ "$output" = m ]
    run -0 ask read base="$BASE" vm=7 name=abcdef file=vm.xml offset=9
    [ -z "$output" ]
    run -1 --separate-stderr ask read base="$BASE" vm=7 name=abcdef file=disk.9.9
    [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == *disk.9.9* ]]
}

@test "what is removed is gone, with the leftovers of dead uploads, and the VM's directory at last" {
    stored abcdef
    stored 123456
    mkdir -p "$BASE/7/777777.partial/x" "$BASE/7/123456.flat" "$BASE/7/123456.11112222.gone/y"
    run -0 remove abcdef ffffff
    [ "$output" = '{"removed":["abcdef"]}' ]
    [ "$(ls "$BASE/7")" = $'123456\n123456.flat' ]
    run -0 remove 123456
    [ ! -e "$BASE/7" ]
    run -0 remove 123456
    [ "$output" = '{"removed":[]}' ]
}

@test "of uploads that came by SFTP those go that nobody has written to for a day" {
    stored abcdef
    mkdir "$BASE"/7/00000{1,2,3}.partial.0123456789abcdef
    touch "$BASE"/7/00000{1,2,3}.partial.0123456789abcdef/disk.0.0
    touch -d '25 hours ago' "$BASE"/7/00000{1,2}.partial.0123456789abcdef{/disk.0.0,}
    touch "$BASE/7/000002.partial.0123456789abcdef/disk.0.0"
    run -0 remove abcdef
    [ "$(ls "$BASE/7")" = $'000002.partial.0123456789abcdef\n000003.partial.0123456789abcdef' ]
}

@test "an upload that lives is not removed with the dead ones" {
    stored abcdef
    local mark=$BATS_TEST_TMPDIR/mark
    printf data >"$SRC/disk.0.0"
    begun "$mark" 654321 "$SRC/disk.0.0" -- begin:disk.0.0 "mark:$mark"
    run -0 remove abcdef
    [ -e "$BASE/7/654321.partial" ]
    kill_both "$mark"
    eventually eval "run -0 remove abcdef; [ ! -e '$BASE/7' ]"
}

@test "links that somebody planted lead nowhere" {
    stored abcdef
    local out=$BATS_TEST_TMPDIR/outside
    mkdir -p "$out/aaaaaa" && echo secret >"$out/aaaaaa/vm.xml"
    ln -s "$out/aaaaaa" "$BASE/7/aaaaaa"
    ln -sf "$out/aaaaaa/vm.xml" "$BASE/7/abcdef/disk.0.1"
    ln -s "$out" "$BASE/8"
    run -1 --separate-stderr ask read base="$BASE" vm=7 name=aaaaaa file=vm.xml
    [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ]
    run -1 --separate-stderr ask read base="$BASE" vm=7 name=abcdef file=disk.0.1
    [ -z "$output" ]
    run -1 --separate-stderr ask list base="$BASE" vm=8 'names=[]'
    [ -z "$output" ]
    run -0 list abcdef
    [[ $output != *disk.0.1* ]]
    run -0 remove aaaaaa abcdef
    [ "$(cat "$out/aaaaaa/vm.xml")" = secret ]
    [ ! -e "$BASE/7" ]
}

@test "a request that is none is refused in a line" {
    local document
    for document in '{"do":"about"}' '{"do":"fly","protocol":1,"base":"/b","vm":1}' \
        '{"do":"list","protocol":1,"base":"b","vm":1,"names":[]}' \
        '{"do":"read","protocol":1,"base":"/b","vm":1,"name":"../../","file":"x"}' \
        '{"do":"read","protocol":1,"base":"/b","vm":1,"name":"abcdef","file":"../x"}' nonsense; do
        run -2 --separate-stderr "$BUILD/datastore/rsync/server" < <(base64 -w0 <<<"$document"; echo)
        [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ]
    done
    run -2 --separate-stderr "$BUILD/datastore/rsync/server" </dev/null
    [ "${#stderr_lines[@]}" -eq 1 ]
}
