# SPDX-License-Identifier: Apache-2.0
# Several processes of the server work on one upload.

load ../../helper
load server

two_files() {
    head -c 3000000 /dev/urandom >"$SRC/disk.0.0"
    head -c 2000000 /dev/urandom >"$SRC/disk.1.0"
}
# begin_and_wait: an upload of both has begun, has a third of the first file, and waits; its processes
# are in "owner", its last words in "said"
begin_and_wait() {
    local greeting=$BATS_TEST_TMPDIR/greeting
    two_files
    owner=$BATS_TEST_TMPDIR/owner said=$BATS_TEST_TMPDIR/said
    GREETING=$greeting receive abcdef "$SRC"/* -- begin:disk.0.0 data:disk.0.0:0:1000000 \
        "await:$owner" data:disk.0.0:1000000:2000000 end:disk.0.0 commit >"$said" 3>&- &
    OWNER=$!
    eventually [ -s "$owner" ]
    eventually [ -s "$BASE/7/abcdef.partial/disk.0.0" ]   # it is his
    token=$(jq -r .token "$greeting")
}
# go_on: it does the rest, and commits
go_on() { touch "$owner.go"; wait "$OWNER"; }
join() { TOKEN=$token receive abcdef "$SRC"/* -- "$@"; }
is_whole() { cmp "$SRC/disk.0.0" "$BASE/7/$1/disk.0.0" && cmp "$SRC/disk.1.0" "$BASE/7/$1/disk.1.0"; }

teardown() {
    local mark
    for mark in "${owner-}" "${guest-}"; do
        [ ! -s "$mark" ] || xargs -r kill -9 <"$mark" 2>/dev/null || true
    done
}

@test "one that has joined receives a file, and the one that began commits both" {
    begin_and_wait
    run -0 join send:disk.1.0 leave
    [ "${lines[-1]}" = '{"left": true}' ]
    go_on
    [ "$(tail -n 1 "$said")" = '{"committed": "abcdef"}' ]
    is_whole abcdef
    [ "$(ls -A "$BASE/7")" = abcdef ]
    [ "$(ls -A "$BASE/7/abcdef")" = $'disk.0.0\ndisk.1.0' ]
}

@test "it is joined by its token, its key and its name, and by nothing else" {
    begin_and_wait
    TOKEN=$(printf 0%.0s {1..32}) run -1 --separate-stderr receive abcdef "$SRC"/* -- leave
    [[ $stderr == *'is not what it was'* ]]
    KEY=$(printf 1%.0s {1..64}) TOKEN=$token run -1 --separate-stderr receive abcdef "$SRC"/* -- leave
    TOKEN=$token run -1 --separate-stderr receive 123456 "$SRC"/* -- leave
    run -0 join send:disk.1.0 leave
    go_on
    TOKEN=$token run -1 --separate-stderr receive abcdef "$SRC"/* -- leave   # it is no upload any more
    is_whole abcdef
}

@test "one that has joined neither commits nor discards" {
    begin_and_wait
    run -1 --separate-stderr join send:disk.1.0 commit
    [[ $output == *'"error"'* ]]
    run -1 --separate-stderr join discard
    [[ $output == *'"error"'* ]]
    go_on
    is_whole abcdef
}

@test "a file belongs to one of them at a time" {
    begin_and_wait
    run -1 --separate-stderr join begin:disk.0.0 data:disk.0.0:0:3000000 end:disk.0.0 leave
    [[ $output == *'"error"'*'is being received already'* ]]
    run -1 --separate-stderr join 'message:{"had":"disk.0.0"}' leave
    [[ $output == *'"error"'*'is being received already'* ]]
    run -0 join send:disk.1.0 leave
    go_on
    is_whole abcdef
}

@test "it is not committed while another one still writes" {
    begin_and_wait
    guest=$BATS_TEST_TMPDIR/guest
    TOKEN=$token begun "$guest" abcdef "$SRC"/* -- send:disk.1.0 "mark:$guest"
    status=0
    go_on || status=$?
    [ "$status" -eq 1 ]
    [[ $(tail -n 1 "$said") == *'"error"'*'somebody else still writes'* ]]
    run -0 list
    [ "$output" = '{}' ]
}

@test "as long as one of them lives it is neither taken nor removed; then it is taken up" {
    begin_and_wait
    guest=$BATS_TEST_TMPDIR/guest
    TOKEN=$token begun "$guest" abcdef "$SRC"/* -- send:disk.1.0 "mark:$guest"
    kill_both "$owner"
    KEY=$(printf 1%.0s {1..64}) run -0 receive 333333 "$SRC/disk.1.0" -- send:disk.1.0 commit
    run -0 remove 333333
    [ -e "$BASE/7/abcdef.partial/disk.1.0" ]
    kill_both "$guest"
    local again=$BATS_TEST_TMPDIR/again
    GREETING=$again run -0 receive 123456 "$SRC"/* -- send:disk.0.0 send:disk.1.0 commit
    [ "$(jq -c '.files."disk.1.0" | [.size, .done]' "$again")" = '[2000000,true]' ]
    [ "$(jq -c '.files."disk.0.0" | [.size > 0, .done]' "$again")" = '[true,false]' ]
    [ "$(jq -r .token "$again")" != "$token" ]
    is_whole 123456
    [ "$(ls -A "$BASE/7")" = 123456 ]
}

@test "killed at any step, it leaves what the next one can rely on" {
    two_files
    local at mark=$BATS_TEST_TMPDIR/mark steps=(begin:disk.1.0 data:disk.1.0:0:1500000 data:disk.1.0:1500000:9999999 end:disk.1.0 leave)
    for at in 0 1 2 3 4 5; do
        greeting=$BATS_TEST_TMPDIR/greeting.$at
        GREETING=$greeting begun "$mark.o$at" abcdef "$SRC"/* -- send:disk.0.0 "mark:$mark.o$at"
        TOKEN=$(jq -r .token "$greeting") begun "$mark.g$at" abcdef "$SRC"/* -- "${steps[@]:0:at}" "mark:$mark.g$at"
        # In either order.
        if ((at % 2)); then kill_both "$mark.o$at"; fi
        kill_both "$mark.g$at"
        if ((at % 2 == 0)); then kill_both "$mark.o$at"; fi
        run -0 list
        [ "$output" = '{}' ]
    done
    run -0 receive abcdef "$SRC"/* -- send:disk.0.0 send:disk.1.0 commit
    is_whole abcdef
    [ "$(ls -A "$BASE/7")" = abcdef ]
}
