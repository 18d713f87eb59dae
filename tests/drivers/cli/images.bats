# SPDX-License-Identifier: Apache-2.0
# vmvault list, show, delete and status.

load helper

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
    run -0 --separate-stderr vmvault status --json
    [ "$(jq '.datastores[0].free_mb' <<<"$output")" = 3072 ]
    [ "$(jq '.problems | length' <<<"$output")" = 1 ]
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
