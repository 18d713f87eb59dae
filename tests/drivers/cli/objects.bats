# SPDX-License-Identifier: Apache-2.0
# vmvault's verbs for objects, from the state file: no service runs.

load helper

setup() {
    setup_vmvault
    vmvault backup web
    vmvault backup web
    export HOME=$BATS_TEST_TMPDIR
}

@test "images as a table, CSV, JSON and XML" {
    run -0 --separate-stderr vmvault image list
    [[ ${lines[0]} == ID*USER*GROUP*NAME*DATASTORE*SIZE*TYPE*PER*STAT*RVMS ]]
    [[ ${lines[1]} == 1*oneadmin*'1000000 '*default*BK*Yes*rdy*1 ]]
    [ "${#lines[@]}" -eq 2 ]
    run -0 vmvault image list -l ID,vm_name,POINTS --csv --no-header
    [ "$output" = 1,web,2 ]
    run -0 vmvault image list --json
    [ "$(jq -c '.IMAGE_POOL.IMAGE | map([.ID, .VMS.ID, (.BACKUP_INCREMENTS.INCREMENT | length)])' <<<"$output")" = '[["1","1000000",2]]' ]
    run -0 vmvault image list --xml
    [ "$(xmllint --xpath 'string(/IMAGE_POOL/IMAGE/BACKUP_INCREMENTS/INCREMENT[2]/PARENT_ID)' - <<<"$output")" = 0 ]
}

@test "filters and columns: what is so, and what there is none of" {
    [ "$(vmvault image list -f STAT=rdy,VM=1000000 --csv --no-header -l ID)" = 1 ]
    [ -z "$(vmvault image list -f 'ID>1' --csv --no-header -l ID)" ]
    [ "$(vmvault image list -f 'ID>1,STAT=rdy' --operator OR --csv --no-header -l ID)" = 1 ]
    run -0 vmvault image list --describe
    [[ $output == *'SIZE_MB '* ]]
    run --separate-stderr vmvault image list -l SIZES
    fails_with 2 SIZES SIZE_MB
    run --separate-stderr vmvault image list -f SIZE
    fails_with 2 SIZE NAME=web
}

@test "every list takes the same options, and is of the form that share/xsd says" {
    local what pool
    while read -r what pool; do
        vmvault "$what" list --xml | xmllint --noout --nonet --schema "$ROOT/share/xsd/${pool,,}.xsd" -
        vmvault "$what" list --json | jq -e "has(\"$pool\")" >/dev/null
        [ "$(vmvault "$what" list --csv --csv-del ';' -l ID,NAME -f ID=77)" = 'ID;NAME' ]
        run -0 vmvault "$what" list --describe
        [[ $output == *'NAME '* ]]
    done <<E
vm VM_POOL
image IMAGE_POOL
datastore DATASTORE_POOL
host HOST_POOL
job BACKUPJOB_POOL
user USER_POOL
E
    vmvault queue --xml 2>/dev/null | xmllint --noout --nonet --schema "$ROOT/share/xsd/queue.xsd" -
    vmvault queue --json 2>/dev/null | jq -e 'has("QUEUE")' >/dev/null
    [ "$(vmvault queue --csv --csv-del ';' -l VM,NAME 2>/dev/null)" = 'VM;NAME' ]
}

@test "an object by its number or its name, in words and as documents" {
    run -0 vmvault vm show web
    [[ $output == *'NAME'*': web'* ]]
    [ "$(vmvault vm show 1000000 --json | jq -r .VM.NAME)" = web ]
    [ "$(vmvault vm show web --xml | xmllint --xpath 'string(/VM/ID)' -)" = 1000000 ]
    run -0 vmvault image show 1
    [[ $output == *'BACKUP_INCREMENTS'*'PARENT_ID'* ]]
    [ "$(vmvault datastore show default --json | jq -r .DATASTORE.ID)" = 100 ]
    run ! grep -q RESTIC_PASSWORD <(vmvault datastore show 100 --xml)
    run --separate-stderr vmvault image show 7
    fails_with 1 'no image 7' 'vmvault image list'
    run --separate-stderr vmvault vm show nobody
    fails_with 1 "no vm 'nobody'"
}

@test "a name that several have is no name" {
    UUID=23401b18-2886-42e0-8639-73a62b52342c domains \
        "$(UUID=23401b18-2886-42e0-8639-73a62b52342c domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")")"
    vmvault backup web
    run --separate-stderr vmvault vm show web
    fails_with 2 "'web'" '1000000, 1000001'
}

@test "a backup, a flatten, a delete and files: without a service the command does them" {
    run -0 --separate-stderr vmvault vm backup web -d default --reset
    [[ $output == 'image 2, increment 0: full '* ]]
    run -0 --separate-stderr vmvault vm backup 1000000
    [[ $output == 'image 2, increment 1: '* ]]
    run --separate-stderr vmvault vm backup nobody   # libvirt is asked for names that have no number yet
    fails_with 1 nobody domain
    qemu-img create -q -f qcow2 "$FAKE/disk.qcow2" 8M
    vmvault image restore 2 --to "$BATS_TEST_TMPDIR/to" --disk-id 0
    [ -e "$BATS_TEST_TMPDIR/to/disk.0.qcow2" ]
    run --separate-stderr vmvault image flatten 2 --keep 2
    [[ $stderr == *'nothing to merge'* ]]
    vmvault image delete 1
    [ "$(vmvault image list --csv --no-header -l ID)" = 2 ]
}

@test "what only a service does says so, and how to start it" {
    for command in 'vm backup web --schedule 22:30 -d 100' 'vm restore web 1' 'job backup 1' 'image protect 1' \
        'image restore 1 -d 100' 'job create --name n --vms web -d 100' 'host disable any' 'host delete any' \
        'host rename any other' 'host update any'; do
        # shellcheck disable=SC2086
        run --separate-stderr vmvault $command </dev/null
        fails_with 1 'systemctl start vmvaultd'
    done
    run --separate-stderr vmvault --endpoint "unix:$BATS_TEST_TMPDIR/none" image list
    [ "$status" -eq 1 ]
    run --separate-stderr vmvault image restore 1
    fails_with 2 --to
}

@test "what waits is told without a service, and that nothing of it begins" {
    run -0 --separate-stderr vmvault queue
    [[ $output == VM*NAME*WHY ]]
    [[ $stderr == *'no service'* ]]
    run -0 --separate-stderr vmvault queue --xml
    [ "$output" = '<QUEUE/>' ]
}

# complete_words WORD...: COMPREPLY is what the last one can become
complete_words() {
    # shellcheck disable=SC1090
    source <(vmvault completion bash)
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _vmvault
}

@test "each command completes, and is in the manual" {
    complete_words vmvault ima
    [ "${COMPREPLY[*]}" = image ]
    complete_words vmvault image restore 1 --no
    [ "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ')" = '--no_ip --no_nic' ]
    complete_words vmvault backup web --fs-freeze a
    [ "${COMPREPLY[*]}" = agent ]
    complete_words vmvault --connect test:///default image show ''
    [ "${COMPREPLY[*]}" = 1 ]
    complete_words vmvault vm restore web ''
    [ "${COMPREPLY[*]}" = 1 ]
    complete_words vmvault datastore prune ''
    [ "${COMPREPLY[*]}" = 100 ]
    complete_words vmvault vm restore web 1 --w
    [ "${COMPREPLY[*]}" = --wait ]
    complete_words vmvault vm show w
    [ "${COMPREPLY[*]}" = web ]
    manual=$(cat "$ROOT"/share/man/vmvault*.1.pod)
    for command in $(_vmvault_commands ''); do
        [[ $manual == *"vmvault $command"* ]] || { echo "no manual for $command"; false; }
        for verb in $(_vmvault_commands " $command"); do
            [[ $manual == *"B<vmvault $command "*"$verb"* ]] || { echo "no manual for $command $verb"; false; }
            for option in $(_vmvault_options " $command $verb"); do
                [[ $option != --* || $option == --help || $manual == *"B<$option"[\ \>]* ]] ||
                    { echo "no manual for $command $verb $option"; false; }
            done
        done
    done
    [ "$(_vmvault_commands ' job' | wc -w)" -ge 9 ]
}

@test "a name that somebody else has chosen is completed, and no shell runs it" {
    local name='x $(touch run)'
    cd "$BATS_TEST_TMPDIR"
    domains "$(domain "$name" "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")")"
    vmvault backup "$name"
    complete_words vmvault vm show x
    [ ! -e run ]
    [ "${COMPREPLY[*]}" = "$(printf %q "$name")" ]
}
