#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# From a backup to images and a template, with the API of a core that records what it is asked.

load ../helper
source "$ROOT/tests/datastore/restic/restic.bash"

setup_file() {
    eval "$("$FIXTURES/oned" start "$BATS_FILE_TMPDIR/oned" --owner $$)"
    export ONED=$BATS_FILE_TMPDIR/oned ONE_XMLRPC ONE_AUTH ONE_CIPHER_AUTH
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    store_setup
    with_repository
    sequential "$FILES/disk.0.0" 40 0=a
    sequential "$FILES/disk.2.0" 40 0=b
    machine | base64 >"$FILES/vm.xml"
    DISKS=0:2 backup_ok
    echo "$ID" >"$BATS_FILE_TMPDIR/ids"
    rm "$FILES"/disk.*
    sequential "$FILES/disk.0.1" 40 1=c
    sequential "$FILES/disk.2.1" 40 1=d
    machine | sed 's/the "first"/the "last"/' | base64 >"$FILES/vm.xml"
    printf 'state' >"$FILES/disk.tpm.0"
    DISKS=0:2 LAST=0 backup_ok
    echo "$ID" >>"$BATS_FILE_TMPDIR/ids"
}
teardown_file() { "$FIXTURES/oned" stop "$BATS_FILE_TMPDIR/oned"; }

setup() {
    store_setup
    BASE=$BATS_FILE_TMPDIR/base FILES=$BATS_FILE_TMPDIR/system/12/backup
    { read -r FULL; read -r LATER; } <"$BATS_FILE_TMPDIR/ids"
    rm -rf "$ONED"/{calls,fail,last,go,waits} "$ONED"/made.*
    restart_counting
    DESTINATION=1 USERNAME=alice IMAGE_TEMPLATE='' OPTIONS=''
}

# A VM with a name and values that need quoting, two disks in the backup, and three that are not.
machine() {
    cat <<'XML'
<VM><ID>12</ID><NAME>it's "a" VM</NAME><TEMPLATE><CPU><![CDATA[0.1]]></CPU>
<DISK><DEV_PREFIX>vd</DEV_PREFIX><DISK_ID>0</DISK_ID><IMAGE_ID>5</IMAGE_ID><SIZE>40</SIZE><TARGET>vda</TARGET><TYPE>FILE</TYPE></DISK>
<DISK><DISK_ID>1</DISK_ID><SIZE>64</SIZE><TYPE>swap</TYPE></DISK>
<DISK><DISK_ID>2</DISK_ID><SIZE>77</SIZE><TYPE>fs</TYPE></DISK>
<DISK><DISK_ID>3</DISK_ID><IMAGE_ID>9</IMAGE_ID><SIZE>1</SIZE><TYPE>CDROM</TYPE></DISK>
<NIC><IP>10.0.0.7</IP><MAC>02:00:0a:00:00:07</MAC><NETWORK>a 'net'</NETWORK><NIC_ID>0</NIC_ID></NIC>
<OS><UUID>x</UUID></OS><VMID>12</VMID></TEMPLATE>
<USER_TEMPLATE><DESCRIPTION>the "first" \ one</DESCRIPTION></USER_TEMPLATE></VM>
XML
}

# restore: as the core asks for it, with OPTIONS
restore() {
    action datastore/restic/restore 32 < <(request "$(image "0:$FULL" "1:$LATER")" "$(datastore)" \
        "<DESTINATION_DS_ID>$DESTINATION</DESTINATION_DS_ID><TEMPLATE>$OPTIONS<USERNAME>$USERNAME</USERNAME></TEMPLATE>")
}

# The core counts calls anew.
restart_counting() { touch "$ONED/recount"; }

# let_go: the call that waits is answered, and all that it does is done
let_go() {
    local before
    before=$(calls | wc -l)
    touch "$ONED/go"
    eventually eval '[ "$(calls | wc -l)" -gt '"$before ]"
}
calls() { jq -r "${1:-.method}" "$ONED/calls"; }
made() { find "$ONED" -path '*/made.*/*' -printf '%P\n' | sort; }

@test "the images and the template of the last increment, as the user who asked" {
    IMAGE_TEMPLATE='<BACKUP_JOB_ID>4</BACKUP_JOB_ID>'
    cp -r "$BASE/12" "$BASE/job_4"
    run -0 --separate-stderr restore
    rm -r "$BASE/job_4"
    [ "$output" = '62 60 61' ]
    [ "$(calls '"\(.method) \(.user) \(.params[1:])"')" = 'one.image.allocate alice [1,false]
one.image.allocate alice [1,false]
one.template.allocate alice []' ]
    diff "$ONED/made.image/61" - <<END
NAME = "12-$LATER-disk-2"
TYPE = "DATABLOCK"

PATH = "restic://100/4/0:$FULL,1:$LATER$FILES/disk.2.1"
FROM_BACKUP_DS = "100"
BACKUP_JOB_ID = "4"
END
    diff "$ONED/made.template/62" - <<END
CPU= "0.1"
DISK=[
    DEV_PREFIX="vd",
    IMAGE_ID="60"
]
DISK=[
    SIZE="64",
    TYPE="swap"
]
DISK=[
    IMAGE_ID="61"
]
DISK=[
    IMAGE_ID="9"
]
NIC=[
    IP="10.0.0.7",
    NETWORK="a 'net'"
]
DESCRIPTION= "the \"last\" \ one"
NAME= "12-$LATER"
TPM_STATE= "$(printf state | base64)"
END
}

@test "INCREMENT_ID: the chain ends there, and the machine is that of then" {
    OPTIONS='<INCREMENT_ID>0</INCREMENT_ID><NO_NIC>yes</NO_NIC><NAME>an "old" one</NAME>'
    run -0 --separate-stderr restore
    [ "$output" = '62 60 61' ]
    [ "$(cat "$ONED/made.image/60")" = "NAME = \"an \\\"old\\\" one-disk-0\"
TYPE = \"OS\"

PATH = \"restic://100//0:$FULL$FILES/disk.0.0\"
FROM_BACKUP_DS = \"100\"" ]
    grep -q 'the \\"first\\"' "$ONED/made.template/62"
    run -1 grep -E 'NIC|TPM_STATE' "$ONED/made.template/62"
}

@test "NO_IP: the interface has its network alone" {
    OPTIONS='<NO_IP>YES</NO_IP>'
    run -0 --separate-stderr restore
    [ "$(sed -n '/^NIC/,/^]/p' "$ONED/made.template/62")" = "NIC=[
    NETWORK=\"a 'net'\"
]" ]
}

@test "DISK_ID: one image, and no template" {
    OPTIONS='<DISK_ID>2</DISK_ID>'
    run -0 --separate-stderr restore
    [ "$output" = '-1 60' ]
    [ "$(calls)" = one.image.allocate ]
    OPTIONS='<DISK_ID>7</DISK_ID>'
    run -1 --separate-stderr restore
    one_line 'has no disk 7'
}

@test "one that is refused: those before it are removed again" {
    echo 'one.image.allocate 2 refuse' >"$ONED/fail"
    run -1 --separate-stderr restore
    one_line "[one.image.allocate] Not enough space in datastore; what had been made was removed again"
    [ -z "$(made)" ]
    echo 'one.template.allocate 1 refuse' >"$ONED/fail"
    restart_counting
    run -1 --separate-stderr restore
    one_line '[one.template.allocate]'
    [ -z "$(made)" ]
    [ "$(calls 'select(.method | endswith("delete")).params' | wc -w)" -gt 0 ]
}

@test "one that cannot be removed again is named" {
    printf '%s\n' 'one.template.allocate 1 refuse' 'one.image.delete 1 refuse' >"$ONED/fail"
    run -1 --separate-stderr restore
    one_line 'could not be removed again: image 60 ('
    [ "$(made)" = made.image/60 ]
}

@test "a core that hangs up has perhaps made it, which is said" {
    echo 'one.image.allocate 2 drop' >"$ONED/fail"
    run -1 --separate-stderr restore
    one_line "image '12-$LATER-disk-2' may have been made all the same"
    [ "$(made)" = made.image/61 ]
}

@test "cancelled: what was made is removed" {
    echo 'one.image.allocate 2 wait' >"$ONED/fail"
    restore_in_background
    eventually [ -e "$ONED/waits" ]
    [ -e "$ONED/made.image/60" ]
    kill $PID
    local status=0
    wait $PID || status=$?
    [ $status -eq 143 ]
    [ ! -e "$ONED/made.image/60" ]
    let_go
}

restore_in_background() {
    request "$(image "0:$FULL" "1:$LATER")" "$(datastore)" "<DESTINATION_DS_ID>1</DESTINATION_DS_ID>
<TEMPLATE><USERNAME>alice</USERNAME></TEMPLATE>" | base64 >"$BATS_TEST_TMPDIR/request"
    "$BUILD/datastore/restic/restore" 32 <"$BATS_TEST_TMPDIR/request" >/dev/null 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    PID=$!
}

@test "when the core has stopped waiting, nothing is left" {
    # It has to come as far as to the second image, on this machine.
    local began=$SECONDS
    run -0 --separate-stderr restore
    rm -r "$ONED"/{last,made.*}
    restart_counting
    echo 'one.image.allocate 2 wait' >"$ONED/fail"
    VMVAULT_RESTORE_LIMIT=$((8 + 4 * (SECONDS - began))) run -1 --separate-stderr restore
    one_line 'may have been made all the same'
    [ ! -e "$ONED/made.image/60" ]
    let_go
}

@test "requests that cannot be served make nothing" {
    USERNAME='' run -2 --separate-stderr restore
    one_line 'name of a user'
    DESTINATION=here run -2 --separate-stderr restore
    one_line DESTINATION_DS_ID
    OPTIONS='<INCREMENT_ID>5</INCREMENT_ID>'
    run -2 --separate-stderr restore
    one_line 'no increment 5'
    OPTIONS='' LATER=deadbeef
    run -1 --separate-stderr restore
    one_line deadbeef
    [ ! -e "$ONED/calls" ]
}

@test "no secret is in what it says" {
    echo 'one.image.allocate 1 refuse' >"$ONED/fail"
    run -1 --separate-stderr restore
    run -1 grep -E "serverpass|serveradmin:|$PASSWORD" <<<"$stderr"
    ONE_CIPHER_AUTH=$BATS_TEST_TMPDIR/none run -1 --separate-stderr restore
    one_line "'$BATS_TEST_TMPDIR/none'"
}
