# SPDX-License-Identifier: Apache-2.0
# drivers/vmvaultd: its API, asked as OpenNebula's clients ask the core's.

load helper

setup() { service_setup; }
teardown() { service_stop; }

as() { SESSION=$1 api "${@:2}"; }

# valid SCHEMA METHOD ARGUMENTS...: the answer is of that form; it stays in $answer
valid() {
    answer=$(api "${@:2}") || { echo "$answer"; return 1; }
    follows "$1" "$answer"
}
at() { xmllint --xpath "string($1)" - <<<"$answer"; }

# backed_up VM: there is one more image of it; its id is $image
backed_up() {
    local before
    before=$(images)
    api one.vm.backup "i:$1" i:-1 b:0
    go
    eventually has_images $((before + 1))
    image=$(vmvault list --json 2>/dev/null | jq 'map(.id) | max')
}

# token USER EXPIRY: what a driver makes in the name of that user (contract 2.12)
token() {
    local auth key
    auth=$(cat "$VMVAULT_VAR/server_auth")
    key=$(printf %s "${auth#*:}" | sha256sum | cut -c1-32)
    printf '%s:%s:%s' "${auth%%:*}" "$1" "$2" | openssl enc -aes-256-cbc -base64 -A \
        -K "$(printf %s "$key" | od -An -tx1 | tr -d ' \n')" -iv "$(printf %s "${key:0:16}" | od -An -tx1 | tr -d ' \n')"
}

@test "every answer has the core's form" {
    machines 2
    ready
    [ "$(api one.system.version)" = 7.4.0 ]
    [ "$(stat -c %a "$VMVAULT_VAR/one_auth" "$VMVAULT_VAR/server_auth" | sort -u)" = 600 ]
    [ "$(stat -c %a "$VMVAULT_VAR/vmvaultd.socket")" = 660 ]
    valid vm_pool one.vmpool.infoextended i:-2 i:-1 i:-1 i:-1 s:
    local state
    for state in -2:2 -1:2 3:2 6:0 8:0; do
        valid vm_pool one.vmpool.info i:-2 i:-1 i:-1 "i:${state%:*}"
        [ "$(at 'count(//VM)')" -eq "${state#*:}" ]
    done
    valid vm one.vm.info i:1000000 b:0
    [[ $(at /VM/NAME) == vm[01] ]]
    [ "$(api one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[KEEP_LAST="3",LAST_INCREMENT_ID="7"]' i:1)" = 1000000 ]
    valid vm one.vm.info i:1000000
    [ "$(at //BACKUP_CONFIG/KEEP_LAST)" = 3 ]
    [ "$(at //BACKUP_CONFIG/LAST_INCREMENT_ID)" = -1 ]
    backed_up 1000000
    valid image_pool one.imagepool.info i:-2 i:-1 i:-1
    [ "$(at 'count(//IMAGE)')" -eq 1 ]
    valid image_pool one.imagepool.info i:-2 i:1 i:-10
    [ "$(at 'count(//IMAGE)')" -eq 0 ]
    valid image one.image.info "i:$image"
    [ "$(at /IMAGE/VMS/ID)" = 1000000 ]
    valid datastore_pool one.datastorepool.info
    valid datastore one.datastore.info i:100 b:0
    [ -z "$(at //RESTIC_PASSWORD)" ]
    [ "$(at /DATASTORE/IMAGES/ID)" = "$image" ]
    valid datastore one.datastore.info i:100 b:1
    [ -n "$(at //RESTIC_PASSWORD)" ]
    api one.datastore.update i:100 's:KEEP_LAST="7" MAX_BACKUPS="2"' i:1
    api one.datastore.update i:100 's:DS_MAD="restic" RPO="3600"' i:0
    run -1 api one.datastore.update i:100 's:DS_MAD="rsync"' i:1
    [[ $output == "4096 "* ]]
    valid datastore one.datastore.info i:100
    [ "$(at //RPO),$(at //KEEP_LAST),$(at //MAX_BACKUPS),$(at /DATASTORE/DS_MAD)" = 3600,,,restic ]
    valid host_pool one.hostpool.info
    valid host one.host.info "i:$(at //HOST/ID)"
    valid queue one.vmvault.queue
    valid user_pool one.userpool.info
    valid user one.user.info i:-1
    job=$(api one.backupjob.allocate 's:NAME="j" BACKUP_VMS="1000000,1000001" DATASTORE_ID="100"
SCHED_ACTION=[REPEAT="3",DAYS="24",TIME="4000000000"]')
    valid backupjob one.backupjob.info "i:$job"
    [ "$(at //SCHED_ACTION/REPEAT)" = 3 ]
    valid backupjob_pool one.backupjobpool.info i:-2 i:-1 i:-1
    [ "$(at //BACKUPJOB/TEMPLATE/BACKUP_VMS)" = 1000000,1000001 ]
    action=$(api one.backupjob.schedadd "i:$job" 's:SCHED_ACTION=[REPEAT="0",DAYS="1,3",TIME="4000000001"]')
    api one.backupjob.schedupdate "i:$job" "i:$action" 's:SCHED_ACTION=[DAYS="2"]'
    valid backupjob one.backupjob.info "i:$job"
    [ "$(at "//SCHED_ACTION[ID=$action]/DAYS")" = 2 ]
    api one.backupjob.delete "i:$job"
    run -1 api one.backupjob.info "i:$job"
    [[ $output == "1024 [one.backupjob.info] "* ]]
    run -1 api one.backupjob.allocate 's:NAME="j" BACKUP_VMS="1000000" SCHED_ACTION=[TIME="-5"]'
    [[ $output == "4096 [one.backupjob.allocate] TIME of action "* ]]
    valid backupjob_pool one.backupjobpool.info i:-2 i:-1 i:-1
    [ "$(at 'count(//BACKUPJOB)')" -eq 0 ]
}

@test "what a driver's restore asks for, in the words of a recorded one" {
    machines 2
    ready
    backed_up 1000000
    now=$(date +%s)
    mine="serveradmin:oneadmin:$(token oneadmin $((now + 600)))"
    source=$(awk '$1 == "stored" { print $3 }' "$CALLS")
    # recorded NAME: with our session, datastores and backup in place of those of then
    recorded() {
        sed -E "s,serveradmin:oneadmin:[^<]*|oneadmin:oneadminlab,$mine,; s,restic://102//[^/]*/,restic://100//0:$source/,
            s,disk\.0\.4,disk.0.0,; s,FROM_BACKUP_DS = \"102\",FROM_BACKUP_DS = \"100\"," \
            "$BATS_TEST_DIRNAME/recorded/$1.xml" | sed -E 's,<i4>102<,<i4>100<,; s,<i4>100</i4></value></param><param><value><boolean>0,<i4>1</i4></value></param><param><value><boolean>0,'
    }
    answer=$(recorded datastore.info | api --body)
    follows datastore "$answer"
    [ -n "$(at //RESTIC_PASSWORD)" ]
    disk=$(recorded image.allocate | api --body)
    valid image one.image.info "i:$disk"
    [ "$(at /IMAGE/NAME)" = 2-8ad4b4bb-disk-0 ]
    [ "$(at /IMAGE/TYPE)" = 0 ]
    id=$(recorded template.allocate | api --body)
    valid template one.template.info "i:$id"
    [ "$(at /VMTEMPLATE/NAME)" = 2-8ad4b4bb ]
    [ "$(at //DISK/DEV_PREFIX)" = vd ]
}

@test "a user sees and touches what is theirs, and nothing else" {
    machines 2
    ready
    alice=$(api one.user.allocate s:alice s:secret-a s:core a:)
    bob=$(api one.user.allocate s:bob s:secret-b s:core a:)
    backed_up 1000000
    first=$image
    api one.vm.chown i:1000000 "i:$alice" i:-1
    api one.image.chown "i:$first" "i:$alice" i:-1
    api one.vm.chown i:1000001 "i:$bob" i:-1
    job=$(as alice:secret-a one.backupjob.allocate 's:NAME="j" BACKUP_VMS="1000000" DATASTORE_ID="100"')
    answer=$(as alice:secret-a one.imagepool.info i:-2 i:-1 i:-1)
    [ "$(at 'count(//IMAGE)')" -eq 1 ]
    answer=$(as bob:secret-b one.imagepool.info i:-2 i:-1 i:-1)
    [ "$(at 'count(//IMAGE)')" -eq 0 ]
    answer=$(as bob:secret-b one.vmpool.info i:-2 i:-1 i:-1 i:-2)
    [ "$(at 'count(//VM)')" -eq 1 ]
    [ "$(at //VM/ID)" = 1000001 ]
    answer=$(as bob:secret-b one.backupjobpool.info i:-2 i:-1 i:-1)
    [ "$(at 'count(//BACKUPJOB)')" -eq 0 ]
    local refused
    while read -r refused; do
        # shellcheck disable=SC2086
        run -1 as bob:secret-b $refused
        [[ $output == "512 "* ]] || { echo "$refused: $output"; false; }
    done <<E
one.vm.info i:1000000
one.vm.backup i:1000000 i:100 b:0
one.vm.backupcancel i:1000000
one.vm.updateconf i:1000000 s:BACKUP_CONFIG=[KEEP_LAST="1"] i:1
one.vm.restore i:1000000 i:$first i:-1 i:-1
one.vm.restore i:1000001 i:$first i:-1 i:-1
one.vm.schedadd i:1000000 s:SCHED_ACTION=[TIME="4000000000"]
one.vm.chown i:1000000 i:$bob i:-1
one.image.info i:$first
one.image.restore i:$first i:1 s:
one.image.delete i:$first b:1
one.image.chown i:$first i:$bob i:-1
one.vmvault.flatten i:$first i:1
one.vmvault.protect i:$first b:1
one.imagepool.info i:$alice i:-1 i:-1
one.backupjob.info i:$job
one.backupjob.backup i:$job
one.backupjob.cancel i:$job
one.backupjob.delete i:$job
one.backupjob.allocate s:BACKUP_VMS="1000000"
one.backupjob.allocate s:NAME="k"PRIORITY="51"
one.vm.updateconf i:1000001 s:BACKUP_CONFIG=[PRIORITY="51"] i:1
one.vm.updateconf i:1000001 s:BACKUP_CONFIG=[RPO="60"] i:1
one.user.info i:$alice
one.user.passwd i:$alice s:mine
one.user.login s:alice s: i:60 i:-1
one.user.allocate s:eve s:e s:core
one.user.chgrp i:$bob i:0
one.user.delete i:$alice
one.datastore.update i:100 s:RPO="1" i:1
one.datastore.allocate s:NAME="d" i:-1
one.datastore.rename i:100 s:mine
one.datastore.delete i:100
one.host.info i:1
one.host.status i:1 i:1
one.host.rename i:1 s:mine
one.system.config
E
    [ "$(as bob:secret-b one.backupjob.allocate 's:NAME="k" BACKUP_VMS="1000001" DATASTORE_ID="100"')" -gt "$job" ]
    # What an administrator has given stays, and nobody gives it to himself.
    as alice:secret-a one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[PRIORITY="50"]' i:1
    api one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[PRIORITY="51"]' i:1
    as alice:secret-a one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[PRIORITY="51",KEEP_LAST="9"]' i:0
    as alice:secret-a one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[RPO="86400"]' i:1
    api one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[RPO="3600"]' i:1
    as alice:secret-a one.vm.updateconf i:1000000 's:BACKUP_CONFIG=[RPO="3600",KEEP_LAST="9"]' i:0
    run -1 as bob:secret-b one.datastore.info i:7
    [[ $output == "1024 "* ]]
    as bob:secret-b one.datastore.info i:100 b:1 >"$BATS_TEST_TMPDIR/info"
    run -1 grep -q RESTIC_PASSWORD "$BATS_TEST_TMPDIR/info"
    [ "$(as alice:secret-a one.image.delete "i:$first" b:0)" = "$first" ]
    eventually has_images 0
}

# refused SESSION
refused() {
    run as "$1" one.user.info i:-1
    [ "$status" -eq 1 ] && [[ $output == "256 "* ]]
}

@test "tokens: for their one user, until they expire, whole" {
    machines 2
    ready
    alice=$(api one.user.allocate s:alice s:secret-a s:core a:)
    api one.user.allocate s:bob s:secret-b s:core a:
    local now good bad
    now=$(date +%s)
    good=$(token alice $((now + 600)))
    answer=$(as "serveradmin:alice:$good" one.user.info i:-1)
    [ "$(at /USER/NAME)" = alice ]
    for bad in "serveradmin:bob:$good" "serveradmin:alice:${good:0:20}" "serveradmin:alice:${good:4}" \
        "serveradmin:alice:$(token alice $((now - 1)))" "serveradmin:alice:AAAA" "alice:$good" "serveradmin:alice:" \
        "serveradmin:$(cut -d: -f2 "$VMVAULT_VAR/server_auth")" "alice:" "alice" "nobody:secret-a"; do
        run -1 as "$bad" one.user.info i:-1
        [[ $output == "256 "* ]] || { echo "$bad: $output"; false; }
    done
    good=$(as alice:secret-a one.user.login s:alice s: i:600 i:-1)
    answer=$(as "alice:$good" one.user.info i:-1)
    [ "$(at /USER/NAME)" = alice ]
    for bad in "bob:$good" "alice:${good:0:30}" "alice:${good}0" "alice:${good/[0-9]/x}"; do
        refused "$bad" || { echo "$bad"; false; }
    done
    eventually refused "alice:$(as alice:secret-a one.user.login s:alice s: i:1 i:-1)"   # when it has expired
    as alice:secret-a one.user.login s:alice "s:$good" i:0 i:-1
    run -1 as "alice:$good" one.user.info i:-1
    [[ $output == "256 "* ]]
    api one.user.passwd "i:$alice" s:other
    run -1 as alice:secret-a one.user.info i:-1
    as alice:other one.user.info i:-1
    # No secret is where others can read it.
    local secret
    for secret in secret-a secret-b "$good" "$(cut -d: -f2 "$VMVAULT_VAR/one_auth")"; do
        run -1 grep -qF -- "$secret" "$BATS_TEST_TMPDIR/log"
    done
}

@test "guesses at a password hold up nobody but that user" {
    machines 2
    ready
    api one.user.allocate s:alice s:secret-a s:core a:
    api one.user.allocate s:bob s:secret-b s:core a:
    as alice:secret-a one.user.info i:-1
    # All at once: more than are free, and faster than they come back.
    local n pids=()
    for ((n = 0; n < 14; ++n)); do
        as "bob:guess$n" one.user.info i:-1 >"$BATS_TEST_TMPDIR/guess.$n" 3>&- &
        pids+=($!)
    done
    for n in "${pids[@]}"; do wait "$n" || [ $? -eq 1 ]; done
    [ "$(cat "$BATS_TEST_TMPDIR"/guess.* | grep -c '^256 ')" -eq 14 ]
    as alice:secret-a one.user.info i:-1
    api one.system.version
}

@test "bodies that are hostile are faults, and the service goes on" {
    machines 2
    ready
    local body
    while IFS= read -r body; do
        run -2 api --body <<<"$body"
    done <<'E'
x
<methodCall/>
<methodCall><methodName>one.system.version</methodName>
<methodCall><methodName>one.no.such</methodName><params><param><value>a:b</value></param></params></methodCall>
<methodCall><methodName>system.multicall</methodName><params><param><value><array><data/></array></value></param></params></methodCall>
<methodCall><methodName>system.listMethods</methodName><params/></methodCall>
<methodCall><methodName>one.system.version</methodName><params/></methodCall>
<methodCall><methodName>one.system.version</methodName><params><param><value><i4>1</i4></value></param></params></methodCall>
<methodCall><methodName>one.system.version</methodName><params><param><value><i4>99999999999999</i4></value></param></params></methodCall>
<methodCall><methodName>one.system.version</methodName><params><param><value><struct><member><name>a</name><value>b</value></member></struct></value></param></params></methodCall>
<!DOCTYPE a [<!ENTITY b "bbbbbbbbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]><methodCall><methodName>&d;</methodName><params/></methodCall>
<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><methodCall><methodName>&b;</methodName><params/></methodCall>
E
    python3 -c "print('<methodCall><methodName>a</methodName><params><param>' + '<value><array><data>' * 20000)" \
        >"$BATS_TEST_TMPDIR/deep"
    run -2 api --body <"$BATS_TEST_TMPDIR/deep"
    head -c 3000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    run api --body <"$BATS_TEST_TMPDIR/large"
    [ "$status" -ge 2 ]
    head -c 100000 /dev/urandom >"$BATS_TEST_TMPDIR/random"
    run -2 api --body <"$BATS_TEST_TMPDIR/random"
    [ "$(api one.system.version)" = 7.4.0 ]
    run -1 api one.vm.info i:7
    [[ $output == "1024 "* ]]
    run -2 api one.vm.info s:7
    [ "$(api one.system.version)" = 7.4.0 ]
}

@test "200 clients that say half a request and wait are in nobody's way" {
    machines 2
    ready
    python3 - "$VMVAULT_VAR/vmvaultd.socket" "$BATS_TEST_TMPDIR" >&2 3>&- <<'E' &
import socket, sys
held = []
for n in range(200):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    try:
        s.sendall([b'', b'POST /RPC2 HT', b'POST /RPC2 HTTP/1.0\r\nContent-Length: 100\r\n\r\n<meth'][n % 3])
    except OSError:  # it has made room already
        pass
    held.append(s)
open(sys.argv[2] + '/held', 'w').close()
for s in held:  # until the service has closed each of them
    try:
        while s.recv(4096):
            pass
    except OSError:
        pass
E
    local clients=$!
    eventually test -e "$BATS_TEST_TMPDIR/held"
    [ "$(api one.system.version)" = 7.4.0 ]
    backed_up 1000000
    # It ends without waiting for them.
    service_end TERM
    wait "$clients"
}

@test "over TCP on an address of one's own, with metrics; after kill -9 all is as before" {
    machines 2
    local address
    address=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))
    listening() {
        ready "PORT = 12633
LISTEN_ADDRESS = \"$address\"
${1-}"
    }
    listening
    cat >"$BATS_TEST_TMPDIR/client.py" <<'E'
import sys, xmlrpc.client
with open(sys.argv[2] + '/one_auth', encoding='utf-8') as file:
    session = file.read().strip()
server = xmlrpc.client.ServerProxy(f'http://{sys.argv[1]}:12633/RPC2')
assert server.one.system.version(session) == [True, '7.4.0', 0]
good, text, code = server.one.vm.info(session, 1000000, False)
assert good and '<NAME>vm' in text
assert server.one.vm.info(session, 5)[0::2] == [False, 0x400], server.one.vm.info(session, 5)
E
    python3 "$BATS_TEST_TMPDIR/client.py" "$address" "$VMVAULT_VAR"
    get() { python3 -c "import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen('http://$address:12633/metrics').read())"; }
    get >"$BATS_TEST_TMPDIR/metrics"
    grep -q '^vmvault_' "$BATS_TEST_TMPDIR/metrics"
    service_end KILL
    listening 'METRICS = NO'
    python3 "$BATS_TEST_TMPDIR/client.py" "$address" "$VMVAULT_VAR"
    run -1 get
}
