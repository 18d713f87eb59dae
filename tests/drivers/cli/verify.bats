# SPDX-License-Identifier: Apache-2.0
# vmvault verify: what an action found is told in one line, and kept.

load helper
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

setup() {
    setup_vmvault
    vmvault backup web
    vmvault backup web
}

# verdict FILTER: the action answers that both increments are proven, edited by FILTER
verdict() {
    jq -n '{repository: "", increments: [range(2) | {id: ., snapshot: "aaaa000\(.)", problem: "",
        disks: [{id: 0, file: "disk.0.\(.)", size: 2097152, sums: true, proven: true, problem: "",
                 offset: null, guest_offset: null}]}]}' | jq -c "$1" >"$FAKE/verdict"
    echo 'cat "$FAKE/verdict"' >"$FAKE/verify"
}
shown() { vmvault show 1 --json | jq -c "[.increments[] | $1]"; }

@test "proven: each restore point knows since when" {
    verdict .
    run -0 --separate-stderr vmvault verify 1 --read-data
    [[ ${lines[0]} == INCREMENT*DATE*RESULT ]]
    [[ ${lines[1]} == 0*proven && ${lines[2]} == 1*proven ]]
    [[ ${lines[3]} == 'image 1: 2 restore points read back, 4.0 MiB in '* ]]
    grep -q '^verify data -1 /' "$CALLS"
    [ "$(shown '.proven != null')" = '[true,true]' ]
    [ "$(vmvault list --json | jq '.[0].proven')" = "$(vmvault show 1 --json | jq '.increments[1].proven')" ]
    run -0 vmvault list
    [[ ${lines[0]} == *PROVEN* ]]
    [[ ${lines[1]} == *20??-??-??*20??-??-??* ]]
}

@test "without --read-data nothing is proven" {
    verdict '.increments[].disks[].proven = false'
    run -0 --separate-stderr vmvault verify 1
    [[ ${lines[1]} == 0*complete ]]
    [[ ${lines[3]} == 'image 1: 2 restore points complete; their data was not read (--read-data)' ]]
    grep -q '^verify structure -1 /' "$CALLS"
    [ "$(shown .proven)" = '[null,null]' ]
}

@test "a corrupt backup is one line with increment, disk and offset, and stays known" {
    verdict .
    vmvault verify 1 --read-data
    local before
    before=$(shown .proven)
    verdict '.increments[0].disks[0] += {proven: false, problem: "bytes are wrong", offset: 4194304, guest_offset: 3866624}'
    run -1 --separate-stderr vmvault verify 1 --read-data
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ "$stderr" = "vmvault: image 1 is corrupt: increment 0, disk 0, offset 4194304 (3866624 on the guest's disk): bytes are wrong" ]
    [[ ${lines[2]} == 1*'CORRUPT: increment 0, which it needs, is corrupt' ]]
    [ "$(shown .proven)" = "$before" ]
    run -0 vmvault show 1
    [[ $output == *'increment 0 is corrupt: disk 0, offset 4194304'* ]]
    run -0 vmvault list
    [[ ${lines[1]} == *CORRUPT* ]]
    run -0 vmvault status
    [[ $output == *'problem: image 1 is corrupt: increment 0, disk 0, offset 4194304'* ]]
    # A check that reads nothing does not unsay it, one that reads does.
    verdict '.increments[].disks[].proven = false'
    vmvault verify 1
    [ "$(shown '.damage != ""')" = '[true,true]' ]
    verdict .
    vmvault verify 1 --read-data
    [ "$(shown .damage)" = '["",""]' ]
}

@test "a chain that is corrupt gets no increments: the next backup begins a new one" {
    verdict '.increments[0].disks[0] += {proven: false, problem: "bytes are wrong", offset: 0}'
    run -1 vmvault verify 1 --read-data
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 0: full of '* ]]
    [[ $stderr == *'a new chain begins: increment 0 of the chain so far is corrupt'* ]]
    run -0 vmvault backup web
    [[ $output == 'image 2, increment 1: increment of '* ]]
}

@test "a corrupt increment is not merged, since nothing would tell of it any more" {
    vmvault backup web
    vmvault backup web
    verdict '.increments[1].disks[0] += {proven: false, problem: "bytes are wrong", offset: 0}'
    run -1 vmvault verify 1 --read-data
    run --separate-stderr vmvault flatten 1 --keep 2
    fails_with 1 'increment 1 of image 1 is corrupt' 'bytes are wrong'
    run -1 grep increment_flatten "$CALLS"
    echo 'echo "5 1:ffff0000,2:aaaa0002,3:aaaa0003"' >"$FAKE/increment_flatten"
    verdict .
    vmvault verify 1 --read-data
    vmvault flatten 1 --keep 3
}

@test "JSON is all there is on stdout, whatever was found" {
    verdict .
    run -0 --separate-stderr vmvault verify 1 --json --read-data
    [ "$(jq -c '[.image, .read_data, .corrupt, (.increments | map(.proven))]' <<<"$output")" = '[1,true,false,[true,true]]' ]
    verdict '.increments[1].disks[0] += {proven: false, problem: "it is gone", offset: 0}'
    run -1 --separate-stderr vmvault verify 1 --json --read-data
    [ "$(jq -c '[.corrupt, .increments[1].disks[0].offset, .increments[0].damage]' <<<"$output")" = '[true,0,""]' ]
    [[ $stderr == 'vmvault: image 1 is corrupt: increment 1, disk 0, offset 0: it is gone' ]]
}

@test "backups without checksums are not said to be proven" {
    verdict '.increments[0].disks[0] += {sums: false, proven: false}'
    run -0 --separate-stderr vmvault verify 1 --read-data
    [[ ${lines[1]} == *'not proven: no checksums of its capture' && ${lines[2]} == *'not proven'* ]]
    [ "$(shown .proven)" = '[null,null]' ]
    verdict '.increments[].disks[] += {sums: false, proven: false}'
    run -0 --separate-stderr vmvault verify 1
    [[ ${lines[1]} == *'complete, without checksums' ]]
}

@test "a damaged repository is told also where the image is whole" {
    verdict '.repository = "pack 12ab does not exist"'
    run -1 --separate-stderr vmvault verify 1 --read-data
    [ "$stderr" = 'vmvault: the repository of image 1 is damaged: pack 12ab does not exist' ]
    [ "$(shown '.proven != null')" = '[true,true]' ]
}

@test "the action is given what the capture said, and the increment that was asked for" {
    # The capture has left checksums of the size that belongs to its file.
    printf 'dir=%q\n' "$(vm_dir)" >"$FAKE/backup"
    echo 'head -c 32 /dev/zero >"$dir/backup.sums.0.$n"' >>"$FAKE/backup"
    vmvault backup web
    verdict '.increments |= map(.id += 1)'
    echo 'ls "${!#}" | tr "\n" " " >"$FAKE/known"; cmp -n 32 "${!#}/sums.0.2" /dev/zero' >>"$FAKE/verify"
    run -0 --separate-stderr vmvault verify 1 --increment 2 --read-data
    grep -q '^verify data 2 /' "$CALLS"
    [ "$(cat "$FAKE/known")" = 'sums.0.2 vmvault.json.0 vmvault.json.1 vmvault.json.2 ' ]
    [ -z "$(find "$VMVAULT_VAR" -name 'sums.0.2' -path '*tmp*')" ]
    [ "$(asked '//INCREMENT[3]/SOURCE')" = aaaa0002 ]
}

@test "checksums of another size than the file's are not taken" {
    printf 'dir=%q\n' "$(vm_dir)" >"$FAKE/backup"
    echo 'head -c 64 /dev/zero >"$dir/backup.sums.0.$n"' >>"$FAKE/backup"
    vmvault backup web
    verdict .
    echo 'ls "${!#}" >"$FAKE/known"' >>"$FAKE/verify"
    vmvault verify 1
    run ! grep sums "$FAKE/known"
}

@test "bad input, and an action that fails, are one line" {
    run --separate-stderr vmvault verify 9
    fails_with 1 'image 9' 'vmvault list'
    run --separate-stderr vmvault verify 1 --increment 5
    fails_with 2 'no increment 5' 'vmvault show 1'
    run --separate-stderr vmvault verify 1 --all
    fails_with 2 --all
    echo 'echo "the repository is locked" >&2; exit 1' >"$FAKE/verify"
    run --separate-stderr vmvault verify 1
    fails_with 1 'cannot verify image 1' 'the repository is locked'
    [ "$(shown '[.proven, .damage]')" = '[[null,""],[null,""]]' ]
    echo 'echo nonsense' >"$FAKE/verify"
    run --separate-stderr vmvault verify 1
    fails_with 1 'not readable'
}

@test "an image that is deleted meanwhile is not called corrupt" {
    verdict '.increments[0].problem = "the snapshot aaaa0000 is not in the repository"'
    printf '%q delete 1 >/dev/null\n' "$BUILD/drivers/cli/vmvault" >>"$FAKE/verify"
    run --separate-stderr vmvault verify 1
    fails_with 1 'was changed while it was verified'
}

is_alone() { [ -e "$FAKE/answered" ] && ! pgrep -P "$1" >/dev/null; }
@test "an increment that is merged as the answer is noted is not called proven" {
    local pid
    verdict .
    echo 'touch "$FAKE/answered"' >>"$FAKE/verify"
    sql_held "$FAKE/go" "UPDATE increments SET source = 'ffff0000' WHERE id = 0"
    "$BUILD/drivers/cli/vmvault" verify 1 --read-data 2>"$FAKE/said" 3>&- &
    pid=$!
    eventually is_alone "$pid"
    touch "$FAKE/go"
    wait "$holder"
    status=0; wait "$pid" || status=$?
    [ "$status" -eq 1 ]
    grep -q 'was changed while it was verified' "$FAKE/said"
    [ "$(shown .proven)" = '[null,null]' ]
}

@test "a cancelled verification changes nothing" {
    echo 'touch "$FAKE/waits"; sleep 600 & wait' >"$FAKE/verify"
    "$BUILD/drivers/cli/vmvault" verify 1 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    local pid=$! status=0
    eventually test -e "$FAKE/waits"
    kill -TERM "$pid"
    wait "$pid" || status=$?
    [ "$status" -eq 143 ]
    [ "$(shown '[.proven, .damage]')" = '[[null,""],[null,""]]' ]
}
