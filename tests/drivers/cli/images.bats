# SPDX-License-Identifier: Apache-2.0
# vmvault list, show, delete and status.

load helper
# shellcheck source=tests/fixtures/state.bash
source "$ROOT/tests/fixtures/state.bash"

setup() { setup_vmvault; }

@test "nothing yet: an empty array, or a hint" {
    run -0 --separate-stderr vmvault list --json
    [ "$output" = '[]' ]
    [ -z "$stderr" ]
    run -0 --separate-stderr vmvault list
    [ -z "$output" ]
    [[ $stderr == *'vmvault backup DOMAIN'* ]]
}

@test "list and show, for people and as JSON" {
    vmvault backup web
    vmvault backup web
    run -0 vmvault list
    [[ ${lines[0]} == ID*DOMAIN*KIND*INCREMENTS*SIZE*NEWEST*STATE ]]
    [[ ${lines[1]} == 1*web*chain*2*'4.0 MiB'*'ready, active' ]]
    [ "$(vmvault list --json | jq -r '.[0].vm.name')" = web ]
    run -0 vmvault show 1
    [[ $output == *'crash-consistent: nobody asked'* ]]
    [ "$(vmvault show 1 --json | jq -c '[.increments[].parent]')" = '[-1,0]' ]
    [ "$(vmvault show 1 --json | jq '.increments[1].disks[0].dirty_bytes')" = 65536 ]
}

@test "a hostile name cannot steer the terminal" {
    local csi=$'\xc2\x9b'
    domains "$(domain "web${csi}2J" "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")")"
    vmvault backup "web${csi}2J"
    run -0 vmvault list
    [[ $output == *'web?2J'* ]]
    [[ $output != *"$csi"* ]]
}

@test "delete gives the driver the whole chain, and the next backup is full" {
    vmvault backup web
    vmvault backup web
    run -0 --separate-stderr vmvault delete 1
    [[ $output == *'2 restore points'*'the next backup is a full one' ]]
    [ "$(asked //IMAGE/VMS/ID)" = 1000000 ]
    [ "$(xmllint --xpath '//INCREMENT/SOURCE/text()' "$FAKE/request" | paste -sd,)" = aaaa0000,aaaa0001 ]
    [ "$(vmvault list --json)" = '[]' ]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 0: full '* ]]
}

@test "a delete that failed is shown, takes no increments, and can be repeated" {
    vmvault backup web
    echo 'echo "repository is locked" >&2; exit 1' >"$FAKE/rm"
    run --separate-stderr vmvault delete 1
    fails_with 1 'image 1' 'repository is locked'
    [ "$(vmvault list --json | jq -r '.[0].state')" = DELETE ]
    run -0 vmvault status
    [[ $output == *'image 1 is half deleted'* ]]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 0: full '* ]]
    rm "$FAKE/rm"
    vmvault delete 1
    [ "$(vmvault list --json | jq -c '[.[].id]')" = '[2]' ]
}

@test "a delete by force ends, and says that its store may still have it" {
    vmvault backup web
    echo 'echo "no route to host" >&2; exit 1' >"$FAKE/rm"
    run -0 --separate-stderr vmvault delete 1 --force
    [[ $stderr == *'may still have it'*'no route to host'* ]]
    [ "$(vmvault list --json)" = '[]' ]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 0: full '* ]]
}

@test "a protected image is neither deleted, also not by force, nor merged" {
    vmvault backup web
    vmvault backup web
    sqlite3 "$VMVAULT_VAR/state.db" 'UPDATE images SET protected = 1'
    for words in 'delete 1' 'delete 1 --force' 'flatten 1 --keep 1'; do
        # shellcheck disable=SC2086
        run --separate-stderr vmvault $words
        fails_with 1 'image 1 is protected'
    done
    run ! grep -E '/(rm|increment_flatten)' "$CALLS"
    [ "$(vmvault show 1 --json | jq -c '[.state, (.increments | length)]')" = '["READY",2]' ]
    vmvault backup web
}

@test "an image that is protected, or restored from, while its store is asked, is not deleted" {
    local now
    vmvault backup web
    cp "$VMVAULT_REMOTES/datastore/restic/rm" "$VMVAULT_REMOTES/datastore/restic/inventory"
    for now in 'UPDATE images SET protected = 1' \
        "INSERT INTO restores (vm, image, increment, disk, started) VALUES (1000000, 1, 0, -1, 1)"; do
        echo "sqlite3 '$VMVAULT_VAR/state.db' '$now'" >"$FAKE/inventory"
        run --separate-stderr vmvault delete 1
        fails_with 1 'image 1'
        sql 'UPDATE images SET protected = 0'
    done
    [ "$(grep -c ^inventory "$CALLS")" -eq 2 ]
    run ! grep '^rm ' "$CALLS"
    [ "$(vmvault show 1 --json | jq -r .state)" = READY ]
}

@test "an image that is protected just before it is merged is not merged" {
    local flatten
    vmvault backup web
    vmvault backup web
    sql_held "$FAKE/go" 'UPDATE images SET protected = 1'
    "$BUILD/drivers/cli/vmvault" flatten 1 --keep 1 2>"$FAKE/said" 3>&- &
    flatten=$!
    eventually [ -e "$VMVAULT_VAR/merge.1" ]
    touch "$FAKE/go"
    wait "$holder"
    status=0; wait "$flatten" || status=$?
    [ "$status" -eq 1 ]
    grep -q 'image 1 is protected' "$FAKE/said"
    run ! grep increment_flatten "$CALLS"
    [ "$(vmvault show 1 --json | jq -r .state)" = READY ]
}

@test "an unknown image is one line" {
    run --separate-stderr vmvault show 3
    fails_with 1 'image 3' 'vmvault list'
    run --separate-stderr vmvault delete 3
    fails_with 1 'image 3'
}

@test "status: last backups, space and problems" {
    vmvault backup web
    echo 'echo "the guest is gone" >&2; exit 1' >"$FAKE/backup"
    run vmvault backup web
    run -0 vmvault status
    [[ $output == *1000000*web*' s '* ]]
    [[ $output == *100*default*'1.0 GiB'*'3.0 GiB'*'4.0 GiB'* ]]
    [[ $output == *"problem: the last backup of 'web'"*'the guest is gone'* ]]
    [[ $output == *') failed: the guest is gone'* ]]
    run -0 --separate-stderr vmvault status --json
    [ "$(jq '.datastores[0].free_mb' <<<"$output")" = 3072 ]
    [ "$(jq '.problems | length' <<<"$output")" = 1 ]
}

@test "status: a backup of a clock that was ahead hides no newer one, and has no age" {
    local soon=$(($(date +%s) + 31536000))
    vmvault backup web
    sql "UPDATE increments SET date = $soon"
    run -0 vmvault status
    [[ $output == *web*"$(date -d "@$soon" '+%F %T')"*'in the future'* ]]
    [[ $output == *"problem: the last backup of 'web' bears a date to come ("*'): a clock was wrong, or is; '* ]]
    run -0 --separate-stderr vmvault status --json
    [ "$(jq -r '.vms[0].last_backup' <<<"$output")" = "$(date -u -d "@$soon" +%FT%TZ)" ]
    [ "$(jq '.vms[0].age_seconds' <<<"$output")" = null ]
    vmvault backup web
    run -0 --separate-stderr vmvault status --json
    [ "$(jq '.vms[0].age_seconds | . >= 0 and . < 3600' <<<"$output")" = true ]
    [ "$(jq -c .problems <<<"$output")" = '[]' ]
}

@test "status tells what an interrupted backup owes, and not while one runs" {
    vmvault backup web
    echo '{}' >"$(vm_dir)/backup.journal"
    run -0 vmvault status
    [[ $output == *"problem: an interrupted backup of 'web' left something to clean up; the next 'vmvault backup web' does so"* ]]
    [ "$(flock "$(vm_dir)/cli.lock" "$BUILD/drivers/cli/vmvault" status --json | jq -c .problems)" = '[]' ]
    rm "$(vm_dir)/backup.journal"
    [ "$(vmvault status --json | jq -c .problems)" = '[]' ]
}

@test "a datastore that does not answer is a problem, and status goes on" {
    echo 'echo "unreachable" >&2; exit 1' >"$FAKE/monitor"
    run -0 --separate-stderr vmvault status
    [[ $output == *'problem: datastore 100 does not answer: unreachable'* ]]
}

@test "flatten: the oldest become one, what is known of it is new, and the next increment goes on" {
    for n in 0 1 2 3; do vmvault backup web; done
    echo 'echo "5 2:ffff0000,3:aaaa0003"' >"$FAKE/increment_flatten"
    jq '.parent = -1 | .disks[].kind = "full" | .disks[].file_size = 5000000' "$(vm_dir)/backup.result" >"$FAKE/vmvault.json"
    run -0 --separate-stderr vmvault flatten 1 --keep 2
    [ "$output" = "image 1 of 'web': 3 restore points merged into increment 2, 2 restore points left" ]
    [ "$(vmvault show 1 --json | jq -c '[.increments[] | [.id, .parent, .type, .source, .size_mib]]')" = \
        '[[2,-1,"FULL","ffff0000",5],[3,2,"INCREMENT","aaaa0003",2]]' ]
    [ "$(vmvault show 1 --json | jq .increments[0].bytes)" = 5000000 ]
    grep -q -- '--file vmvault.json restic://100//2:ffff0000' "$CALLS"
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 4: '* ]]
}

@test "flatten asks for what is to be kept, and has nothing to do where there is no more" {
    vmvault backup web; vmvault backup web
    echo 'base64 -d >"$FAKE/request"; exit 9' >"$FAKE/increment_flatten"
    run -0 --separate-stderr vmvault flatten 1 --keep 2
    [[ $stderr == *'only 2 restore points'* ]]
    run ! grep increment_flatten "$CALLS"
    run --separate-stderr vmvault flatten 1 --keep 1
    fails_with 1 'cannot flatten image 1'
    for keep in '' '--keep 0' '--keep x'; do
        # shellcheck disable=SC2086
        run --separate-stderr vmvault flatten 1 $keep
        fails_with 2 keep
    done
}

@test "a flatten that failed, or whose answer is about something else, changes nothing" {
    for n in 0 1 2; do vmvault backup web; done
    before=$(vmvault show 1 --json)
    echo 'echo "repository is locked" >&2; exit 1' >"$FAKE/increment_flatten"
    run --separate-stderr vmvault flatten 1 --keep 2
    fails_with 1 'image 1' 'repository is locked'
    [ "$(vmvault show 1 --json)" = "$before" ]
    for answer in '' '5' '5 rubbish' '5 1:ffff0000' '5 0:ffff0000,1:aaaa0001' '5 1:ffff0000,2:bbbb0002' 'x 1:ffff0000,2:aaaa0002'; do
        echo "echo '$answer'" >"$FAKE/increment_flatten"
        run --separate-stderr vmvault flatten 1 --keep 2
        [ "$status" -ne 0 ]
        [ "$(vmvault show 1 --json | jq .increments)" = "$(jq .increments <<<"$before")" ]
    done
}

@test "a flatten that is killed: the image is locked until another one goes on with it" {
    for n in 0 1 2; do vmvault backup web; done
    echo 'kill -KILL $$' >"$FAKE/increment_flatten"
    run -1 vmvault flatten 1 --keep 1
    run --separate-stderr vmvault verify 1
    fails_with 1 "'vmvault flatten 1 --keep 1' goes on with it"
    run -0 vmvault status
    [[ $output == *'image 1 is half merged'* ]]
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *"'vmvault flatten 1 --keep 2' has gone on with it"* ]]
    echo 'echo "5 2:ffff0000,3:aaaa0003"' >"$FAKE/increment_flatten"
    run -0 --separate-stderr vmvault flatten 1 --keep 2
    [ "$(asked //KEEP_LAST)" = 2 ]   # the same three, and the one since then
    [[ $stderr == *'goes on first'* ]]
    [[ $output == *'merged into increment 2, 2 restore points left'* ]]
    run -0 vmvault status
    [[ $output != *'half merged'* ]]
}
