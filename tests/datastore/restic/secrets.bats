# SPDX-License-Identifier: Apache-2.0
# The password reaches restic, and nothing else.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash

# Not for the shell, XML, JSON or a line.
setup_file() {
    export PASSWORD=$'it\'s "so"\n $HOME `x` \\ <&> s\xc3\xbc\xc3\x9f among-the-thorns'
    "$FIXTURES/restic_repository" "$BATS_FILE_TMPDIR/repository" "$PASSWORD"
}

setup() {
    local password=$PASSWORD
    store_setup
    PASSWORD=$password
    with_repository
    spy_on_restic
    echo disk >"$FILES/disk.0.0"
    write_vm_xml
}
teardown() { sftp_teardown; }

# in_order: a backup, its listing, its size, a download and its removal
in_order() {
    run -0 --separate-stderr backup "$1"
    said=$stderr
    ID=${output%% *}
    run -0 --separate-stderr "$BUILD/datastore/restic/ls" < <(request "$(datastore)" "$(image "0:$ID")")
    said+=$output$stderr
    publish_datastore
    "$BUILD/datastore/restic/downloader" --file vm.xml "$(jq -r '."0"' <<<"$output")" >"$BATS_TEST_TMPDIR/vm.xml"
    cmp "$BATS_TEST_TMPDIR/vm.xml" "$FILES/vm.xml"
    run -0 --separate-stderr image_action rm "$(image "0:$ID")" 57
    said+=$stderr
}

# kept_secret: in all that the spy saw, and in what was said, there is no part of it
kept_secret() {
    grep -q 'datastore/host/run' "$SPIED"
    grep -q 'restic argument.*backup' "$SPIED"
    grep -q 'restic argument forget' "$SPIED"
    run ! grep -aF -e among-the-thorns -e 's üß' "$SPIED"
    [[ $said != *thorns* ]]
}

@test "on this machine it is in no command line and no word, and no core dump can hold it" {
    in_order localhost
    kept_secret
    run -0 awk '/^Max core file size/ && ($5 > 1 || $6 > 1 || $5 == "unlimited")' "$SPIED"
    [ -z "$output" ]
}

@test "on other machines it is in no command line and no word" {
    sftp_setup
    export VMVAULT_REMOTE_DIR=$BUILD
    in_order node1
    kept_secret
    grep -q '^node1$' "$SPIED"
}

@test "an error of restic that quotes it is told without it" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    cat >"$bin/restic" <<'SH'
#!/bin/sh
[ "$1" != version ] || { echo 'restic 0.14.0 compiled'; exit; }
printf 'Fatal: bad password %s\n' "$(printf %s "$RESTIC_PASSWORD" | tr '\n' ' ')" >&2
exit 1
SH
    chmod +x "$bin/restic"
    PATH=$bin:$PATH run -1 --separate-stderr backup
    one_line 'bad password ***'
    [[ $stderr != *thorns* ]]
}
