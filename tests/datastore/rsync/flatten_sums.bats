# SPDX-License-Identifier: Apache-2.0
# What a flatten merges is what was captured, by the checksums of those who keep them.
load "$BATS_TEST_DIRNAME/../../helper.bash"
load rsync.bash

setup_file() { rsync_server_start; }
teardown_file() { rsync_server_stop; }

# A full and two increments as vmvault stores them, of 5 MiB each, in $BASE/12; the checksums of all
# in $KNOWN.
setup() {
    store_setup
    publish_datastore
    KNOWN=$BATS_TEST_TMPDIR/known CHAIN=(0:aaaa00 1:aaaa01 2:aaaa02)
    mkdir "$KNOWN"
    local n
    for n in 0 1 2; do
        mkdir -p "$BASE/12/aaaa0$n"
        cd "$BASE/12/aaaa0$n"
        sequential disk.0.$n 160 {0..79}=$n
        "$FIXTURES/sums" disk.0.$n >sums.0.$n
        cp sums.0.$n "$KNOWN"
        vm | base64 -w0 >vm.xml
        jq -nc '{vm: 12, increment: $n, parent: ($n - 1), disks: [{id: 0, target: "vda", file: "disk.0.\($n)",
            kind: (if $n == 0 then "full" else "increment" end), file_size: $size}]}' \
            --argjson n $n --argjson size "$(stat -c %s disk.0.$n)" >vmvault.json
    done
    cd "$BASE/12"
}

# flatten [SUMS]
flatten() {
    action datastore/rsync/increment_flatten 57 < <(request "$(image "${CHAIN[@]}")" "$(datastore)" \
        "<EXTRA_DATA><KEEP_LAST>2</KEEP_LAST><SUMS>${1-}</SUMS></EXTRA_DATA>")
}
# by_both COMMAND: with the helper on the server, and by SFTP alone
by_both() {
    "$1"
    sftp_alone
    "$1"
}
# harm FILE: a byte of its data
harm() { printf x | dd of="$1" bs=1 seek=4300000 conv=notrunc status=none; }
# refused WORDS [SUMS]: and all is as it was
refused() {
    local before
    before=$(find aaaa0? -type f -exec sha256sum {} + | sort)
    run -1 --separate-stderr flatten "${@:2}"
    one_line "$1"
    [ "$(find aaaa0? -type f -exec sha256sum {} + | sort)" = "$before" ]
}

damaged_is_refused() {
    refused "aaaa01/disk.0.1' is not what was backed up from offset 4194304 on" "$KNOWN"
}
@test "damaged data whose checksums are lost on the server are not merged: the state has them" {
    harm aaaa01/disk.0.1
    : >aaaa01/sums.0.1
    by_both damaged_is_refused
}

@test "damaged data that have false checksums on the server are not merged" {
    harm aaaa01/disk.0.1
    "$FIXTURES/sums" aaaa01/disk.0.1 >aaaa01/sums.0.1
    by_both damaged_is_refused
}

unknown_is_refused() {
    refused "the checksums of '$BASE/12/aaaa01/disk.0.1' have the wrong size"
    cp "$KNOWN/sums.0.1" aaaa01/sums.0.1
    : >aaaa00/sums.0.0
    refused "the checksums of '$BASE/12/aaaa00/disk.0.0' have the wrong size"
    cp "$KNOWN/sums.0.0" aaaa00/sums.0.0
    : >aaaa01/sums.0.1
}
@test "where nobody knows better, checksums that cannot be those of their file are an error" {
    : >aaaa01/sums.0.1
    by_both unknown_is_refused
}

of_another_size_is_refused() {
    refused "aaaa01/disk.0.1' has not the size that was backed up" "$KNOWN"
}
@test "a file of another size than was captured is not merged" {
    truncate -s 4M aaaa01/disk.0.1
    "$FIXTURES/sums" aaaa01/disk.0.1 >aaaa01/sums.0.1
    by_both of_another_size_is_refused
}

# merges SUMS: with checksums of the merged file
merges() {
    cp -r "$BASE/12" "$BATS_TEST_TMPDIR/copy"
    run -0 --separate-stderr flatten "$1"
    [[ $output == *' 1:aaaa01,2:aaaa02' ]]
    cmp aaaa01/sums.0.1 <("$FIXTURES/sums" aaaa01/disk.0.1)
    # What is known of the captures says nothing of a merged one.
    CHAIN=(1:aaaa01 2:aaaa02 3:aaaa03)
    cp -r aaaa02 aaaa03
    mv aaaa03/disk.0.2 aaaa03/disk.0.3
    mv aaaa03/sums.0.2 aaaa03/sums.0.3
    run -0 --separate-stderr flatten "$1"
    cmp aaaa02/sums.0.2 <("$FIXTURES/sums" aaaa02/disk.0.2)
    CHAIN=(0:aaaa00 1:aaaa01 2:aaaa02)
    rm -r "$BASE/12"/* && cp -r "$BATS_TEST_TMPDIR/copy"/* "$BASE/12" && rm -r "$BATS_TEST_TMPDIR/copy"
}
merges_with_known() { merges "$KNOWN"; }
@test "checksums that the state has are as good as those on the server, which may be lost" {
    rm aaaa01/sums.0.1
    by_both merges_with_known
}

stock_merged_is_merged() {
    cp -r "$BASE/12" "$BATS_TEST_TMPDIR/copy"
    run -0 --separate-stderr flatten "${1-}"
    [[ $output == *' 2:aaaa02,3:aaaa03' ]]
    [ ! -e aaaa02/sums.0.2 ]
    rm -r "$BASE/12"/* && cp -r "$BATS_TEST_TMPDIR/copy"/* "$BASE/12" && rm -r "$BATS_TEST_TMPDIR/copy"
}
@test "what OpenNebula's driver has merged has checksums of another file beside it, and is merged" {
    cp -r aaaa02 aaaa03
    mv aaaa03/disk.0.2 aaaa03/disk.0.3
    mv aaaa03/sums.0.2 aaaa03/sums.0.3
    sequential aaaa01/disk.0.1 320 {0..200}=m
    rm -r aaaa00
    CHAIN=(1:aaaa01 2:aaaa02 3:aaaa03)
    by_both stock_merged_is_merged
}

@test "checksums that no pipe holds: the helper is brought to a server that misses it" {
    rm -f "$VMVAULT_REMOTE_DIR"/datastore/rsync/server.*
    head -c 4000000 /dev/zero >"$KNOWN/sums.9.0"
    run -0 --separate-stderr flatten "$KNOWN"
    [[ $stderr == *'server executable goes to'* ]]
    [[ $output == *' 1:aaaa01,2:aaaa02' ]]
}

@test "checksums that no pipe holds: a server on which another program runs gets files by SFTP" {
    head -c 4000000 /dev/zero >"$KNOWN/sums.9.0"
    local ssh bin=$BATS_TEST_TMPDIR/bin
    ssh=$(command -v ssh)
    mkdir "$bin"
    # Whatever is asked for, as an account with ForceCommand internal-sftp: that ends at the first words.
    cat >"$bin/ssh" <<SH
#!/bin/bash
[[ " \$* " == *' -G '* || " \$* " == *' sftp '* || " \$* " != *$SERVER* ]] && exec '$ssh' "\$@"
head -c 4 >/dev/null
exit 11
SH
    chmod +x "$bin/ssh"
    PATH=$bin:$PATH
    run -0 --separate-stderr flatten "$KNOWN"
    [[ $output == *' 1:aaaa01,2:aaaa02' ]]
}
