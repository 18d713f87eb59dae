# SPDX-License-Identifier: Apache-2.0
# vmvault backup: what is asked of the orchestrator, and what is kept of its answer.

load helper

setup() { setup_vmvault; }

images() { vmvault list --json | jq length; }

@test "a full first, then increments of it" {
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 0: full of '\''web'\'', 2.0 MiB in '*'crash-consistent: nobody asked' ]]
    [ "$(asked //MODE)" = INCREMENT ]
    [ "$(asked //LAST_INCREMENT_ID)" = -1 ]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 1: increment of '* ]]
    [ "$(asked //LAST_INCREMENT_ID)" = 0 ]
    [ "$(vmvault show 1 --json | jq -c '[.increments[].source]')" = '["aaaa0000","aaaa0001"]' ]
}

@test "the orchestrator gets the machine, its disks and the datastore" {
    vmvault backup web
    [ "$(cat "$CALLS")" = 'backup 1000000' ]
    [ "$(asked //VM/ID)" = 1000000 ]
    [ "$(asked //VM/NAME)" = web ]
    [ "$(asked //VM/LCM_STATE)" = 69 ]
    [ "$(asked //DISK/TARGET)" = vda ]
    [ "$(asked //DISK/SIZE)" = 8 ]
    [ "$(asked //DATASTORE/TEMPLATE/RESTIC_BACKEND)" = LOCAL ]
    [ "$(asked //TM_COMMAND)" = "BACKUP qcow2 localhost:$(vm_dir) 0 23401b18-2886-42e0-8639-73a62b52342b - 1000000 0
" ] || [ "$(asked //TM_COMMAND)" = "BACKUP qcow2 localhost:$(vm_dir) 0 23401b18-2886-42e0-8639-73a62b52342b - 1000000 0" ]
    [ "$(readlink "$(vm_dir)/disk.0")" = "$BATS_TEST_TMPDIR/web.qcow2" ]
}

@test "a domain is found by its UUID and by its id too" {
    vmvault backup 23401b18-2886-42e0-8639-73a62b52342b
    vmvault backup 1
    [ "$(vmvault show 1 --json | jq '.increments | length')" = 2 ]
}

@test "--full begins a new chain" {
    vmvault backup web
    run -0 --separate-stderr vmvault backup web --full
    [[ $output == 'image 2, increment 0: full of '* ]]
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 1: increment of '* ]]
}

@test "another disk begins a new chain, and its id was never another's" {
    vmvault backup web
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/b.qcow2" 8M
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/b.qcow2")")"
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 2, increment 0: full of '* ]]
    [[ $stderr == *'the set of disks has changed'* ]]
    [ "$(asked //DISK_ID)" = 1 ]
    [ ! -e "$(vm_dir)/disk.0" ]
}

@test "raw disks alone make full images" {
    truncate -s 1M "$BATS_TEST_TMPDIR/a.raw"
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/a.raw" raw)")"
    vmvault backup web
    vmvault backup web
    [ "$(asked //MODE)" = FULL ]
    [ "$(images)" -eq 2 ]
}

@test "a disk that is whole in an increment is told, with the reason" {
    vmvault backup web
    KIND=whole WHY='the bitmap was lost' run -0 --separate-stderr vmvault backup web
    [[ $output == *"disk 'vda' is whole in it: the bitmap was lost" ]]
}

@test "how to freeze is passed on, and NONE where no agent is connected" {
    vmvault backup web
    [ "$(asked //FS_FREEZE)" = NONE ]
    vmvault backup web --fs-freeze suspend
    [ "$(asked //FS_FREEZE)" = SUSPEND ]
}

@test "a freeze that nobody asked for may fail, and only that" {
    echo 'echo "${VMVAULT_FS_FREEZE_FALLBACK-unset}" >"$FAKE/fallback"' >"$FAKE/backup"
    vmvault backup web
    [ "$(cat "$FAKE/fallback")" = YES ]
    vmvault backup web --fs-freeze agent
    [ "$(cat "$FAKE/fallback")" = unset ]
    VMVAULT_FS_FREEZE_FALLBACK=NO vmvault backup web
    [ "$(cat "$FAKE/fallback")" = NO ]
    mkdir "$VMVAULT_REMOTES/etc"
    echo 'FS_FREEZE_FALLBACK=NO' >"$VMVAULT_REMOTES/etc/vmvault.conf"
    vmvault backup web
    [ "$(cat "$FAKE/fallback")" = unset ]
}

@test "a failure is one line, and the next backup is the same increment" {
    vmvault backup web
    echo 'echo "INFO: x: a line for the log" >&2; echo "no space in /repo" >&2; exit 1' >"$FAKE/backup"
    run --separate-stderr vmvault backup web
    fails_with 1 'no space in /repo'
    [[ $stderr != *INFO* ]]
    [ "$(vmvault show 1 --json | jq '.increments | length')" = 1 ]
    rm "$FAKE/backup"
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 1: '* ]]
}

@test "an answer that is none is a failure" {
    local answer
    for answer in '' 'aaaa' 'aaaa x raw' 'zzzz 1 raw' 'aaaa 1 raw more'; do
        echo "reply='$answer'" >"$FAKE/backup"
        run --separate-stderr vmvault backup web
        fails_with 1 'snapshot id'
    done
    [ "$(images)" -eq 0 ]
}

@test "an unknown domain is named" {
    run --separate-stderr vmvault backup nobody
    fails_with 1 "'nobody'" "$LIBVIRT_URI"
    [ ! -e "$CALLS" ]
}

@test "a missing disk file is named, and nothing is begun" {
    rm "$BATS_TEST_TMPDIR/web.qcow2"
    run --separate-stderr vmvault backup web
    fails_with 1 "'vda'" "'web'" "$BATS_TEST_TMPDIR/web.qcow2" 'No such file'
    [ ! -e "$CALLS" ]
    run -0 --separate-stderr vmvault status   # nobody may have read that
    [[ $output == *"problem: the last backup of 'web' ("*") failed: "*"$BATS_TEST_TMPDIR/web.qcow2"*'No such file'* ]]
}

@test "a disk that is not a file is an error, not left out" {
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")
        <disk type='block' device='disk'><source dev='/dev/x'/><target dev='vdb'/></disk>")"
    run --separate-stderr vmvault backup web
    fails_with 1 "'vdb'" block
}

@test "a CD-ROM is left out, and that is said" {
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")
        <disk type='file' device='cdrom'><source file='/x.iso'/><target dev='sda'/></disk>")"
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *"cdrom 'sda' is not backed up"* ]]
    [ "$(xmllint --xpath 'count(//DISK)' "$FAKE/request")" = 1 ]
}

@test "a TPM's state is left out, and that is said" {
    domains "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")
        <tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>")"
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *"the TPM state of 'web' is not in the backup"* ]]
}

@test "OpenNebula's domains are left to it, unless forced" {
    domains "$(UUID=23401b18-2886-42e0-8639-73a62b523401 domain one-12 "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")")" \
        "$(domain web "$(disk vda "$BATS_TEST_TMPDIR/web.qcow2")" \
            "<metadata><one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'/></metadata>")"
    local name
    for name in one-12 web; do
        run --separate-stderr vmvault backup "$name"
        fails_with 1 "'$name'" OpenNebula --force
    done
    vmvault backup one-12 --force
    [ "$(images)" -eq 1 ]
}

@test "two backups of one machine do not meet" {
    echo 'touch "$FAKE/begun"; until [ -e "$FAKE/go" ]; do sleep 0.05; done' >"$FAKE/backup"
    "$BUILD/drivers/cli/vmvault" backup web 3>&- & local first=$!
    eventually [ -e "$FAKE/begun" ]
    run --separate-stderr vmvault backup web
    touch "$FAKE/go"
    fails_with 1 "'web'" another
    wait $first
    [ "$(images)" -eq 1 ]
}

# waiting_backup [PROGRAM...]: begun in the background by that program, as $pid; the orchestrator waits
# to be told to end
waiting_backup() {
    echo 'exec 2>/dev/null; trap "touch $FAKE/undone; exit 143" TERM; touch "$FAKE/begun"; while :; do sleep 0.05 || :; done' >"$FAKE/backup"
    rm -f "$FAKE/begun" "$FAKE/undone"
    "$@" "$BUILD/drivers/cli/vmvault" backup web 2>"$BATS_TEST_TMPDIR/said" 3>&- & pid=$!
    eventually [ -e "$FAKE/begun" ]
}

@test "a signal stops the orchestrator, one line says so, and the next backup works at once" {
    local signal
    for signal in TERM INT HUP 'INT INT'; do
        waiting_backup
        for one in $signal; do kill -$one $pid; done
        status=0; wait $pid || status=$?
        [ "$status" -eq 143 ]
        [ -e "$FAKE/undone" ]
        [ "$(cat "$BATS_TEST_TMPDIR/said")" = 'vmvault: cancelled' ]
        [ "$(images)" -eq 0 ]
    done
    rm "$FAKE/backup"
    vmvault backup web
}

@test "a terminal that goes away stops the backup" {
    waiting_backup python3 -c 'import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
while not os.path.exists(os.environ["FAKE"] + "/begun"): os.sched_yield()
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))'
    status=0; wait $pid || status=$?
    [ "$status" -eq 143 ]
    [ -e "$FAKE/undone" ]
    rm "$FAKE/backup"
    vmvault backup web
}

@test "a backup that outlives its vmvault is recorded by the next one" {
    outlives
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *'was good, and is recorded now'* ]]
    [[ $output == 'image 1, increment 1: '* ]]
}

@test "a backup that died with its vmvault is told, and not in the list" {
    echo 'touch "$FAKE/begun"; echo $$ >"$FAKE/pid"; while :; do sleep 0.05; done' >"$FAKE/backup"
    "$BUILD/drivers/cli/vmvault" backup web 3>&- & local pid=$!
    eventually [ -s "$FAKE/pid" ]
    kill -KILL $pid "$(cat "$FAKE/pid")"
    wait $pid || true
    eventually is_gone "$(cat "$FAKE/pid")"
    rm "$FAKE/backup"
    run -0 vmvault status
    [[ $output == *"problem: a backup of 'web' was interrupted"* ]]
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *'was interrupted'* ]]
    [[ $output == 'image 1, increment 0: '* ]]
}

@test "an orchestrator that is killed when it has answered: the backup is good" {
    echo 'echo "$reply"; exec kill -KILL $$' >"$FAKE/backup"
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 0: '* ]]
    rm "$FAKE/backup"
    run -0 --separate-stderr vmvault backup web
    [[ $output == 'image 1, increment 1: '* ]]
    [ "$(asked //LAST_SOURCE)" = aaaa0000 ]
}

@test "an orchestrator that is killed: what it left is undone at once" {
    rm "$VMVAULT_REMOTES/vmm/kvm/recover"
    printf '#!/bin/bash\necho "recover $*" >>"$CALLS"; base64 -d | cmp - "$FAKE/request"\n' >"$VMVAULT_REMOTES/vmm/kvm/recover"
    chmod +x "$VMVAULT_REMOTES/vmm/kvm/recover"
    echo 'exec kill -KILL $$' >"$FAKE/backup"
    run -1 --separate-stderr vmvault backup web
    [[ $stderr == 'vmvault: the backup failed: '*SIGKILL* ]]
    [ "$(tail -n 1 "$CALLS")" = 'recover 1000000' ]
    echo 'exit 1' >"$FAKE/backup"
    run -1 vmvault backup web
    [[ $(tail -n 1 "$CALLS") == 'backup '* ]]
}

# outlives: a backup whose vmvault is killed, and which is good
outlives() {
    echo 'touch "$FAKE/begun"; until [ -e "$FAKE/go" ]; do sleep 0.05; done; echo $$ >"$FAKE/pid"' >"$FAKE/backup"
    rm -f "$FAKE/begun" "$FAKE/go"
    "$BUILD/drivers/cli/vmvault" backup web 3>&- & local pid=$!
    eventually [ -e "$FAKE/begun" ]
    kill -KILL $pid
    wait $pid || true
    touch "$FAKE/go"
    eventually eval '[ -s "$(vm_dir)"/backup.reply.* ]'
    eventually is_gone "$(cat "$FAKE/pid")"
    rm "$FAKE/backup"
}

@test "an increment that nobody has recorded yet is deleted with its image" {
    vmvault backup web
    outlives
    run -0 --separate-stderr vmvault delete 1
    [[ $stderr == *'was good, and is recorded now (image 1, increment 1)'* ]]
    [[ $output == *'with 2 restore points'* ]]
    [ "$(xmllint --xpath '//INCREMENT/SOURCE/text()' "$FAKE/request" | xargs)" = 'aaaa0000 aaaa0001' ]
}

@test "an increment that nobody has recorded yet is merged with the others" {
    vmvault backup web
    outlives
    echo 'echo "5 1:ffff0000"' >"$FAKE/increment_flatten"
    run -0 --separate-stderr vmvault flatten 1 --keep 1
    [[ $stderr == *'was good, and is recorded now (image 1, increment 1)'* ]]
    [[ $output == *'2 restore points merged into increment 1, 1 restore point left' ]]
}

# Cut off after the attempt is on record, and before anything of it is there.
cut_off() {
    echo 'touch "$FAKE/begun"; echo $$ >"$FAKE/pid"; while :; do sleep 0.05; done' >"$FAKE/backup"
    rm -f "$FAKE/pid"
    "$BUILD/drivers/cli/vmvault" backup web 3>&- & local pid=$!
    eventually [ -s "$FAKE/pid" ]
    kill -KILL $pid "$(cat "$FAKE/pid")"
    wait $pid || true
    eventually is_gone "$(cat "$FAKE/pid")"
    rm "$FAKE/backup"
}

@test "the answer to an earlier backup is not taken for a new one's" {
    vmvault backup web
    local kept=$BATS_TEST_TMPDIR/kept
    mkdir "$kept"
    cp "$(vm_dir)"/backup.re* "$kept"
    cut_off
    rm -f "$(vm_dir)"/backup.re*
    cp "$kept"/* "$(vm_dir)"
    run -0 --separate-stderr vmvault backup web
    [[ $stderr == *'was interrupted'* ]]
    [[ $output == 'image 1, increment 1: '* ]]
    [ "$(vmvault show 1 --json | jq '[.increments[].source] | unique | length')" = 2 ]
}

@test "a snapshot that is in the list already is not recorded again" {
    vmvault backup web
    local answer
    answer=$(cat "$(vm_dir)"/backup.reply.*)
    cut_off
    echo "$answer" | tee "$(vm_dir)"/backup.reply.* >/dev/null
    run -0 --separate-stderr vmvault backup web --full
    [[ $stderr == *'was interrupted'* ]]
    [ "$(vmvault list --json | jq -c '[.[].increments]')" = '[1,1]' ]
}

@test "a leftover that cannot be removed is named, and nothing is begun" {
    vmvault backup web
    mkdir "$(vm_dir)/backup.progress"
    run --separate-stderr vmvault backup web
    fails_with 1 "$(vm_dir)/backup.progress"
    run -0 vmvault status
    [[ $output != *problem* ]]
}
