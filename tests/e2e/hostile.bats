# SPDX-License-Identifier: Apache-2.0
# Every action meets bad arguments and bad documents: one line, no reply, no harm.

load ../helper.bash

setup() {
    cd "$BUILD"
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var LIBVIRT_DEFAULT_URI="qemu:///system?socket=$BATS_TEST_TMPDIR/none"
    mapfile -t actions < <(find datastore tm vmm -mindepth 2 -maxdepth 2 -type f -perm /u+x \
        ! -name '*.o' ! -name restic | grep -v '/lib/\|^datastore/host\|^tm/host')
    [ ${#actions[@]} -gt 8 ]
    cd "$BATS_TEST_TMPDIR"
}

# refused ACTION ARGS... < document as sent: one line on stderr, nothing on stdout, in time
refused() {
    run --separate-stderr timeout 60 "$BUILD/$1" "${@:2}"
    [ -z "$output" ] || { echo "$*: printed $output" >&2; return 1; }
    case $1 in
        tm/*/postbackup*) [ "$status" -eq 0 ] ;;   # always, or the core would take it for its own failure
        *) [ "$status" -ne 0 ] && [ "$status" -lt 124 ] ;;
    esac || { echo "$*: status $status" >&2; return 1; }
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || { echo "$*: said: $stderr" >&2; return 1; }
}

# words ACTION: arguments of a plausible request
words() {
    case $1 in
        tm/*) echo 'localhost:/nonexistent/vm 0 one-12 - 12 100' ;;
        vmm/*) echo 12 ;;
        datastore/*/backup) echo 'localhost:/nonexistent/vm 0 one-12 - 12 100' ;;
        datastore/*/downloader) echo 'restic://100/-/0:aaaa0000/nonexistent/disk.0.0' ;;
        *) echo 100 ;;
    esac
}

every_action_refuses() {   # every_action_refuses FILE: as its contract wants it, base64 or not
    local action
    base64 -w 0 "$1" >"$1.base64"
    for action in "${actions[@]}"; do
        case $action in
            tm/*) cp "$1" sent ;;
            *) cp "$1.base64" sent ;;
        esac
        # shellcheck disable=SC2046
        refused "$action" $(words "$action") <sent || return
    done
}

@test "too few arguments" {
    for action in "${actions[@]}"; do refused "$action" </dev/null; done
}

@test "no document, no base64, no XML" {
    : >empty
    every_action_refuses empty
    echo 'this is no XML &%$' >garbage
    every_action_refuses garbage
    for action in "${actions[@]}"; do
        # shellcheck disable=SC2046
        refused "$action" $(words "$action") <garbage
    done
    echo '<VM><unclosed>' >unclosed
    every_action_refuses unclosed
}

@test "entities are not expanded, and nothing is fetched" {
    cat >outer <<'XML'
<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<DS_DRIVER_ACTION_DATA><DATASTORE><ID>100</ID><TEMPLATE>&secret;</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>
XML
    every_action_refuses outer
    [[ $stderr != *root:* ]]
    {
        echo '<!DOCTYPE x [<!ENTITY l0 "ha">'
        for n in {1..40}; do echo "<!ENTITY l$n \"&l$((n - 1));&l$((n - 1));\">"; done
        echo ']><VM>&l40;</VM>'
    } >laughs
    every_action_refuses laughs
}

@test "a document that is a very deep hole" {
    printf '<VM>%.0s' {1..100000} >deep
    every_action_refuses deep
}

@test "names and paths with something else inside" {
    echo '<VMM_DRIVER_ACTION_DATA><VM><ID>12; reboot</ID></VM></VMM_DRIVER_ACTION_DATA>' >inject
    every_action_refuses inject
    echo '<VM><ID>12</ID><DEPLOY_ID>one-12</DEPLOY_ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID>
        <TARGET>vda</TARGET></DISK></TEMPLATE></VM>' >plain
    for action in "${actions[@]}"; do
        [[ $action == tm/* ]] || continue
        refused "$action" 'localhost:/x;reboot' 0 one-12 - 12 100 <plain
        refused "$action" '-oProxyCommand=reboot:/x' 0 one-12 - 12 100 <plain
        refused "$action" 'localhost:/x' '0:../../1' one-12 - 12 100 <plain
    done
}

@test "a request without an end" {
    for action in "${actions[@]}"; do
        [[ $action != datastore/*/downloader ]] || continue   # it is asked for nothing on stdin
        # shellcheck disable=SC2046
        refused "$action" $(words "$action") < <(yes '<VM>')
    done
}

# host_refuses PROGRAM ARGUMENT < request: what works on a hypervisor for others says one line, and why
host_refuses() {
    run --separate-stderr timeout 60 "$BUILD/$1" "$2"
    [ -z "$output" ] || { echo "$*: printed $output" >&2; return 1; }
    [ "$status" -ne 0 ] && [ "$status" -lt 124 ] || { echo "$*: status $status" >&2; return 1; }
    [ "$(grep -c . <<<"$stderr")" -eq 1 ] || { echo "$*: said: $stderr" >&2; return 1; }
}

@test "what works on a hypervisor for others: no request, none that can be read, and one without an end" {
    local program verb text
    while read -r program verb; do
        host_refuses "$program" "$verb" </dev/null
        head -c 100000 /dev/urandom >random
        host_refuses "$program" "$verb" <random
        for text in '' '<VM>' '{"dir": 7}' '[]' 'null' '"x"'; do
            host_refuses "$program" "$verb" < <(base64 -w 0 <<<"$text"; echo)
        done
        host_refuses "$program" "$verb" < <(yes | tr -d '\n')
        printf '[%.0s' {1..100000} | base64 -w 0 >deep
        echo >>deep
        host_refuses "$program" "$verb" <deep
    done <<'PROGRAMS'
tm/host/machine_files probe
tm/host/machine_files link
tm/host/machine_files marks
tm/host/machine_files put_marks
tm/host/machine_files no_such_verb
tm/host/backup_host begin
tm/host/backup_host end
tm/host/restore_host begin
tm/host/restore_host end
datastore/host/run
PROGRAMS
}

# asked VERB REQUEST: of tm/host/machine_files
asked() { timeout 60 "$BUILD/tm/host/machine_files" "$1" < <(base64 -w 0 <<<"$2"; echo); }

@test "a machine's files on its host: what is no disk is named, and nothing leads out of its directory" {
    mkfifo pipe
    echo 'no image' >text
    run -0 asked probe "{\"disks\": [{\"path\": \"$PWD/pipe\", \"format\": \"raw\"}, {\"path\": \"/dev/zero\", \"format\": \"raw\"},
        {\"path\": \"$PWD\", \"format\": \"raw\"}, {\"path\": \"$PWD/text\", \"format\": \"qcow2\"},
        {\"path\": \"$PWD/none\", \"format\": \"raw\"}, {\"path\": \"$PWD/../x\", \"format\": \"raw\"},
        {\"path\": \"text\", \"format\": \"raw\"}, {\"path\": \"\", \"format\": \"raw\"}]}"
    [ "$(jq 'map(has("error")) | all and length == 8' <<<"$output")" = true ]
    for request in '{"dir": "vms/1", "disks": []}' "{\"dir\": \"$PWD/../x\", \"disks\": []}" \
        "{\"dir\": \"$PWD/1\", \"disks\": [{\"id\": 0, \"path\": \"../x\"}]}" \
        "{\"dir\": \"$PWD/1\", \"disks\": [{\"id\": \"../x\", \"path\": \"/x\"}]}"; do
        run ! asked link "$request"
    done
    [ ! -e "$PWD/1/../x" ]
    # What somebody has planted in the machine's directory is not followed.
    mkdir 2 && ln -s "$PWD/text" 2/backup.marks && ln -s "$PWD/victim" 2/disk.7
    echo mine >victim
    asked link "{\"dir\": \"$PWD/2\", \"disks\": [{\"id\": 0, \"path\": \"$PWD/text\"}]}"
    asked put_marks "{\"dir\": \"$PWD/2\", \"marks\": \"{}\"}"
    [ "$(cat text)" = 'no image' ]
    [ "$(cat victim)" = mine ]
    [ "$(readlink 2/disk.0)" = "$PWD/text" ]
    [ ! -e 2/disk.7 ]
}
