# SPDX-License-Identifier: Apache-2.0
# The service and hosts in the wrong hands: their libvirt and their programs say whatever they like.

load helper

setup() {
    service_setup
    machines 1
    hosts=$BATS_TEST_TMPDIR/hosts
    mkdir "$hosts" "$BATS_TEST_TMPDIR/bin"
    # What the host does that it leads to is the test's: $hosts/<host>/libvirt, and .../<program>.
    cat >"$BATS_TEST_TMPDIR/bin/ssh" <<SH
#!/bin/bash
while [ "\$1" != -- ]; do shift; done
host=\$2; shift 2
case "\$*" in
    *virt-ssh-helper*) exec bash "$hosts/\$host/libvirt" ;;
    *machine_files*) set -- machine_files "\$@" ;;
    *backup_host*) set -- backup_host "\$@" ;;
esac
[ -e "$hosts/\$host/\$1" ] || { cat >/dev/null; exit 0; }
exec bash "$hosts/\$host/\$1" "\$@"
SH
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}
teardown() { service_stop; }

# host NAME LIBVIRT: that is what its libvirt says, in bash
host() {
    mkdir -p "$hosts/$1"
    echo "$2" >"$hosts/$1/libvirt"
}
# says HOST PROGRAM TEXT: what that program does there, in bash
says() { echo "$3" >"$hosts/$1/$2"; }

# libvirt_host NAME DOMAIN...: an own libvirt with these, in JSON
libvirt_host() {
    local IFS=,
    mkdir -p "$hosts/$1"
    echo "[${*:2}]" >"$hosts/$1/domains"
    echo "exec '$FIXTURES/libvirt_server' '$hosts/$1/domains'" >"$hosts/$1/libvirt"
}
uuid() { printf '11111111-2222-3333-4444-%012d' "$1"; }
# there N NAME [UUID]: a running domain with a disk; NAME as it stands in JSON, and described by that UUID
there() {
    echo '{"active": true, "uuid": "'"$(uuid "$1")"'", "name": "'"$2"'", "xml": "<domain><uuid>'"${3-$(uuid "$1")}"'</uuid>
        <name>any</name><devices><disk type='"'file' device='disk'><driver type='qcow2'/><source file='/a.qcow2'/>
        <target dev='vda'"'/></disk></devices></domain>"}' | tr -d '\n'
}

with_hosts() {
    service_start "RPO = 0"
    eventually grep -q 'vmvaultd has begun' "$BATS_TEST_TMPDIR/log"
    local name
    for name in "$hosts"/*; do vmvault host create "${name##*/}"; done
}
log_has() { grep -qE -- "$1" "$BATS_TEST_TMPDIR/log"; }
names() { vmvault vm list --json | jq -r '.VM_POOL.VM | if type == "array" then .[] else . end | .NAME'; }
has_name() { names | grep -qFx -- "$1"; }
is_up() { [ "$(vmvault host list --csv --no-header --list NAME,STAT | sed -n "s/^$1,//p")" = on ]; }
# MiB of memory of the service
memory() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$service/status"; }

@test "a host that says nothing, garbage, zeros without end, or hangs up is down, and holds up no other" {
    libvirt_host good "$(there 1 honest)"
    host silent 'cat >/dev/null'
    host garbage 'head -c 1000000 /dev/urandom; cat >/dev/null'
    host zeros 'exec cat /dev/zero'
    host chatter 'exec yes'
    host closes 'exit 0'
    local name n   # of calls, before it hangs up
    for n in {2..6}; do host halves$n "exec '$FIXTURES/libvirt_server' '$hosts/good/domains' $n"; done
    with_hosts
    eventually has_name honest
    eventually is_up good
    for name in garbage zeros chatter closes halves{2..6}; do
        eventually log_has "^\[HOST [0-9]*\]\[W\]: cannot .* 'qemu\+ssh://$name/"
        run ! is_up $name
    done
    has_name vm0
    run ! is_up silent
    [ "$(memory)" -lt 300 ]
}

@test "names that a host has chosen are data: in the log, in lists, and no longer than names are" {
    local long
    long=$(printf '%0100000d' 7)
    libvirt_host evil "$(there 1 '-rf')" "$(there 2 '$(touch hacked)`touch hacked`')" \
        "$(there 3 'a\n[VM 1][I]: is backed up')" "$(there 4 '\u00ff\u00fe\u0001\u001b[2J]]>')" \
        "$(there 5 "$long")" "$(there 6 '')" "$(there 7 '../../etc')"
    with_hosts
    eventually has_name -rf
    [ "$(names | wc -l)" -ge 8 ]
    [ "$(names | wc -L)" -eq 255 ]
    run ! log_has '^\[VM 1\]\[I\]: is backed up'
    vmvault vm list --csv >"$BATS_TEST_TMPDIR/csv"
    run ! grep -q $'\e' "$BATS_TEST_TMPDIR/csv"
    follows vm_pool "$(api one.vmpool.info i:-2 i:-1 i:-1 i:-2)"
    vmvault vm backup "$(vmvault vm list --csv --no-header --list ID,NAME | sed -n 's/,-rf$//p')" -d 100
    eventually log_has 'the backup failed'
    [ ! -e hacked ]
    [ ! -e "$VMVAULT_VAR/etc" ]
    [ "$(sql 'PRAGMA integrity_check')" = ok ]
}

@test "descriptions that are none, too large, too deep, or of another machine" {
    local deep='{"head": "", "fill": "<a>", "times": 1000000, "tail": ""}'
    local large='{"head": "<domain>", "fill": "<a/>", "times": 30000000, "tail": "</domain>"}'
    local bomb='{"head": "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><domain>", "fill": "&c;", "times": 100000, "tail": "</domain>"}'
    local n=10 xml all=()
    for xml in "$deep" "$bomb" '""' '"no XML"' '"<x/>"' '"<domain/>"'; do
        n=$((n + 1))
        all+=('{"active": true, "uuid": "'"$(uuid $n)"'", "name": "bad'"$n"'", "xml": '"$xml"'}')
    done
    libvirt_host evil "${all[@]}" "$(there 1 honest)" "$(there 2 liar "$(uuid 1)")" "$(there 3 words 'a - 0 0 b')"
    libvirt_host huge '{"active": true, "uuid": "'"$(uuid 30)"'", "name": "huge", "xml": '"$large"'}'
    with_hosts
    eventually has_name honest
    run ! has_name bad11
    run ! has_name bad16
    says evil machine_files 'cat >/dev/null; exit 1'
    vmvault vm backup liar -d 100
    eventually log_has "describes as $(uuid 2) is another machine, $(uuid 1)"
    vmvault vm backup words -d 100
    eventually log_has "describes as $(uuid 3) is another machine, a - 0 0 b"
    eventually log_has "^\[HOST [0-9]*\]\[W\]: cannot .* 'qemu\+ssh://huge/"
    run ! has_name huge
    [ "$(memory)" -lt 300 ]
}

@test "what a host says of its disks is checked, bounded, and the reason of a failure" {
    libvirt_host evil "$(there 1 honest)"
    with_hosts
    eventually has_name honest
    local answer
    while IFS=% read -r answer reason; do
        : >"$BATS_TEST_TMPDIR/log"
        says evil machine_files "cat >/dev/null; $answer"
        vmvault vm backup honest -d 100
        eventually log_has "the backup failed: .*$reason"
        vmvault vm backup-cancel honest 2>/dev/null || true
        eventually eval '! vmvault queue | grep -q honest'
    done <<'ANSWERS'
exec yes%said more than 4194304 bytes
exec cat /dev/zero%said more than
exit 0%cannot be read
echo nonsense%cannot be read
echo "[]"%cannot be read
echo "[7]"%cannot be read
echo '[{"size": 7, "tracks": true}]'%cannot be read
echo '[{"size": "-1", "tracks": true}]'%its size is no number
echo '[{"size": "99999999999999999999", "tracks": true}]'%its size is no number
echo '[{"error": "a\n[VM 0][I]: is backed up"}]'%disk .vda. of domain .any.: a \[VM 0\]\[I\]: is backed up
head -c 100000 /dev/zero | tr '\0' '['%cannot be read
yes x | head -c 100000000 >&2; echo why >&2; exit 1%host evil: why
exit 127%install the same version of vmvault there
exit 255%ssh does not reach host evil
ANSWERS
    run ! log_has '^\[VM 0\]'
    [ "$(memory)" -lt 300 ]
}

@test "a host that logs without end, when it is put right, fills no log" {
    libvirt_host evil "$(there 1 honest)"
    says evil backup_host "cat >/dev/null; yes 'WARN: backup_host: hello' | head -c 50000000 >&2; echo done >'$BATS_TEST_TMPDIR/recovered'"
    with_hosts
    eventually has_name honest
    eventually [ -e "$BATS_TEST_TMPDIR/recovered" ]
    eventually log_has 'too much, and left out'
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/log")" -lt 20000000 ]
}
