# SPDX-License-Identifier: Apache-2.0
# The actions of the rsync datastore, beside what every driver has to do (tests/conformance).

load "$BATS_TEST_DIRNAME/../../helper.bash"
load rsync.bash

setup_file() { rsync_server_start; }
teardown_file() { rsync_server_stop; }

setup() {
    store_setup
    sequential "$FILES/disk.0.0" 40 0=a 39=b
    write_vm_xml
    publish_datastore
}

# urls: of the backup ID
urls() { "$BUILD/datastore/rsync/ls" < <(request "$(datastore)" "$(image "0:$ID")"); }
url() { urls | jq -r ".\"${1:-0}\""; }
downloader() { "$BUILD/datastore/rsync/downloader" "$@"; }

@test "a server that is this machine needs no ssh" {
    SERVER=localhost
    publish_datastore
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nexit 255\n' >"$BATS_TEST_TMPDIR/bin/ssh"
    chmod +x "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    backup_ok
    downloader --stream "$(url)" | cmp - "$FILES/disk.0.0"
    run -0 image_action rm "$(image "0:$ID")" 57
    [ -z "$(backups_of 12)" ]
}

@test "a link in the place of a disk file is not followed" {
    ln -s /etc/passwd "$FILES/disk.1.0"
    run -1 --separate-stderr backup
    one_line "'$FILES/disk.1.0' is not a plain file"
    [ -z "$(backups_of 12)" ]
}

@test "a server that refuses to start programs at all gets files by SFTP" {
    sftp_alone
    run -0 --separate-stderr action datastore/rsync/monitor 100 < <(request "$(datastore)")
    [[ $stderr == *'only SFTP: '*'starts no programs'* ]]
    backup_ok
    cmp "$BASE/12/$ID/disk.0.0" "$FILES/disk.0.0"
    run -0 image_action rm "$(image "0:$ID")" 57
    [ -z "$(backups_of 12)" ]
}

@test "the helper is brought to the server by whoever misses it" {
    local helpers=$VMVAULT_REMOTE_DIR/datastore/rsync
    rm -f "$helpers"/server.*
    run -0 --separate-stderr action datastore/rsync/monitor 100 < <(request "$(datastore)")
    [[ $stderr == *'server executable goes to'* ]]
    [ "$(find "$helpers" -name 'server.*' | wc -l)" -eq 1 ]
    backup_ok
    rm "$helpers"/server.*
    run -0 urls
    [ "$(find "$helpers" -name 'server.*' | wc -l)" -eq 1 ]
}

@test "the files are those of the backup, as they are, and private" {
    touch -d '2026-11-20 11:00' "$FILES/disk.0.0"
    echo other >"$FILES/other"
    echo '{}' >"$FILES/vmvault.json"
    backup_ok node1
    local there=$BASE/12/$ID
    cmp "$there/disk.0.0" "$FILES/disk.0.0"
    cmp "$there/vm.xml" "$FILES/vm.xml"
    cmp "$there/vmvault.json" "$FILES/vmvault.json"
    [ ! -e "$there/other" ]
    [ "$(stat -c '%a %Y' "$there/disk.0.0")" = "$(stat -c '%a %Y' "$FILES/disk.0.0")" ]
}

@test "the state of a TPM is a document" {
    echo state >"$FILES/disk.tpm.0"
    backup_ok
    [ "${output#* }" = '1 raw' ]
    [ "$(urls | jq -r 'keys | join(" ")')" = '0 tpm' ]
    downloader --stream "$(url tpm)" | cmp - "$FILES/disk.tpm.0"
}

@test "the downloader prepares nothing, and its command may be run twice or stopped early" {
    backup_ok
    local command='' clean_command=unset said before
    before=$(find "$BASE" | sort)
    said=$(downloader "$(url)")
    [ "$(grep -cE '^(clean_)?command=' <<<"$said")" -eq 2 ]
    eval "$said"
    [ -z "$clean_command" ]
    bash -c "$command" | head -c 10 >/dev/null
    bash -c "$command" | cmp - "$FILES/disk.0.0"
    bash -c "$command" | cmp - "$FILES/disk.0.0"
    [ "$(find "$BASE" | sort)" = "$before" ]
    [ -L "$BUILD/datastore/rsync_downloader.rb" ]
}

@test "monitor and all others fail with one line when ssh does" {
    SERVER=unreachable
    run -1 --separate-stderr action datastore/rsync/monitor 100 < <(request "$(datastore)")
    one_line "'unreachable'"
    SERVER=bk1 SERVER_USER=stranger
    run -1 --separate-stderr action datastore/rsync/monitor 100 < <(request "$(datastore)")
    one_line 'ermission denied'
    one_line '; there is no key that it takes: '
    [ ! -e "$BASE" ]
}

@test "an unknown host key is an error, and nothing is sent" {
    local known=$BATS_FILE_TMPDIR/sshd/known_hosts
    mv "$known" "$known.kept"
    run -1 --separate-stderr backup
    mv "$known.kept" "$known"
    one_line 'Host key verification failed.; its host key is not known here: '
    [ ! -e "$BASE" ]
}

@test "a host key that has changed is told as that, and nothing is sent" {
    local known=$BATS_FILE_TMPDIR/sshd/known_hosts
    mv "$known" "$known.kept"
    ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
    echo "* $(cut -d' ' -f1,2 "$BATS_TEST_TMPDIR/other.pub")" >"$known"
    run -1 --separate-stderr backup
    mv "$known.kept" "$known"
    one_line 'Host key verification failed.; it shows another key than known_hosts has: '
    [ ! -e "$BASE" ]
}

@test "a directory with any name works, and no part of it reaches a shell" {
    BASE="$BATS_TEST_TMPDIR/it's \"a\" \$(false) \`false\`; exit 3 ü"
    mkdir "$BASE"
    publish_datastore
    backup_ok node1
    downloader --file vm.xml "$MAD://100//0:$ID$FILES/disk.0.0" | cmp - "$FILES/vm.xml"
    run -0 image_action rm "$(image "0:$ID")" 57
    [ -z "$(backups_of 12)" ]
    [ "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name "it's*" | wc -l)" -eq 1 ]
}

@test "hostile hosts, users, arguments and names are bad requests of one line" {
    local host
    for host in '-oProxyCommand=x' 'a b' "a'b"; do
        SERVER=$host
        run -2 --separate-stderr action datastore/rsync/monitor 100 < <(request "$(datastore)")
        one_line 'not a host name'
    done
    SERVER=bk1
    ARGS='-a --delete'
    run -2 --separate-stderr backup
    one_line '--delete'
    ARGS=-aS
    ID=../../etc
    run -2 --separate-stderr urls
    one_line hexadecimal
    ID=deadbeef
    run -1 --separate-stderr urls
    one_line deadbeef
    run -2 --separate-stderr downloader --file ../x "$MAD://100//0:abcdef/b/backup/disk.0.0"
    one_line '../x'
}

@test "an image with no name stored is removed without a server" {
    SERVER=unreachable
    run -0 --separate-stderr image_action rm '<IMAGE><ID>57</ID><VMS><ID>12</ID></VMS></IMAGE>' 57
    [ -z "$output" ]
}
