# SPDX-License-Identifier: Apache-2.0
# Files of a server that allows SFTP and nothing else.

load ../../helper

setup_file() {
    eval "$("$FIXTURES/sshd" start "$BATS_FILE_TMPDIR/sshd" ForceCommand internal-sftp --owner $$)"
    export PATH
    head -c 30000000 /dev/urandom >"$BATS_FILE_TMPDIR/bytes"
}
teardown_file() { "$FIXTURES/sshd" stop "$BATS_FILE_TMPDIR/sshd"; }

link() { "$BUILD/tests/datastore/rsync/link" "$@"; }
sftp() { link backup1 sftp "$@"; }

@test "a server that allows only SFTP is known as such" {
    export VMVAULT_REMOTES=$BATS_TEST_TMPDIR
    install -D /bin/true "$BATS_TEST_TMPDIR/datastore/rsync/server"
    run -0 link backup1 ensure
    [ "$output" = 'nothing of ours runs there: This service allows sftp connections only.' ]
}

@test "what is written is read" {
    run -0 sftp put "$BATS_TEST_TMPDIR/there" <"$BATS_FILE_TMPDIR/bytes"
    [ "$output" = durable ]
    cmp "$BATS_FILE_TMPDIR/bytes" "$BATS_TEST_TMPDIR/there"
    [ "$(stat -c '%a %Y' "$BATS_TEST_TMPDIR/there")" = '640 1000000000' ]
    sftp get "$BATS_TEST_TMPDIR/there" | cmp - "$BATS_FILE_TMPDIR/bytes"
    sftp get "$BATS_TEST_TMPDIR/there" 20000001 | cmp - <(tail -c +20000002 "$BATS_FILE_TMPDIR/bytes")
}

@test "writing goes on at an offset, and what was behind it is gone" {
    { head -c 12345678 "$BATS_FILE_TMPDIR/bytes"; head -c 40000000 /dev/zero; } >"$BATS_TEST_TMPDIR/there"
    sftp put "$BATS_TEST_TMPDIR/there" 12345678 < <(tail -c +12345679 "$BATS_FILE_TMPDIR/bytes")
    cmp "$BATS_FILE_TMPDIR/bytes" "$BATS_TEST_TMPDIR/there"
}

@test "a directory is listed, and removed with all in it but not what its links lead to" {
    mkdir -p "$BATS_TEST_TMPDIR/top/below" "$BATS_TEST_TMPDIR/elsewhere"
    echo 12345 >"$BATS_TEST_TMPDIR/top/file"
    touch "$BATS_TEST_TMPDIR/top/below/file" "$BATS_TEST_TMPDIR/elsewhere/file"
    run -0 sftp list "$BATS_TEST_TMPDIR/top"
    [ "$output" = $'below directory\nfile 6' ]
    ln -s "$BATS_TEST_TMPDIR/elsewhere" "$BATS_TEST_TMPDIR/top/link"
    sftp remove "$BATS_TEST_TMPDIR/top"
    [ ! -e "$BATS_TEST_TMPDIR/top" ]
    [ -e "$BATS_TEST_TMPDIR/elsewhere/file" ]
    sftp remove "$BATS_TEST_TMPDIR/top"
    run -0 sftp list "$BATS_TEST_TMPDIR/top"
    [ -z "$output" ]
}

@test "the space of the server is told" {
    run -0 sftp space "$BATS_TEST_TMPDIR"
    [[ $output =~ ^USED_MB=[0-9]+$'\n'TOTAL_MB=([0-9]+)$'\n'FREE_MB=[0-9]+$ ]]
    [ "${BASH_REMATCH[1]}" -eq $(($(stat -fc '%b * %S' "$BATS_TEST_TMPDIR") >> 20)) ]
}

# Its answers to what it has read are still unread then.
@test "an SFTP server that ends while more is sent than a window holds is told at once" {
    [ -x /usr/lib/openssh/sftp-server ] || skip 'there is no sftp-server here (package openssh-sftp-server)'
    mkdir "$BATS_TEST_TMPDIR/other"
    {
        echo '#!/bin/sh'
        echo 'stdbuf -o0 head -c 3000000 | /usr/lib/openssh/sftp-server'
    } >"$BATS_TEST_TMPDIR/server"
    chmod 755 "$BATS_TEST_TMPDIR/server"
    "$FIXTURES/sshd" start "$BATS_TEST_TMPDIR/other" Subsystem "sftp $BATS_TEST_TMPDIR/server" --owner $$ \
        >"$BATS_TEST_TMPDIR/env"
    PATH=$BATS_TEST_TMPDIR/other/bin:$PATH ARGS=--timeout=60 run -1 --separate-stderr sftp put \
        "$BATS_TEST_TMPDIR/there" <"$BATS_FILE_TMPDIR/bytes"
    "$FIXTURES/sshd" stop "$BATS_TEST_TMPDIR/other"
    [ "$stderr" = "cannot write '$BATS_TEST_TMPDIR/there' on 'backup1': the SFTP server there has ended" ]
}

@test "a failure names the file and the server" {
    run -1 sftp get "$BATS_TEST_TMPDIR/none"
    [ "$output" = "cannot open '$BATS_TEST_TMPDIR/none' on 'backup1': there is no such file" ]
    mkdir "$BATS_TEST_TMPDIR/dir"
    run -1 sftp put "$BATS_TEST_TMPDIR/dir" </dev/null
    [[ $output == "cannot write '$BATS_TEST_TMPDIR/dir' on 'backup1': "* ]]
}

@test "a full disk of the server is an error" {
    [ -w /dev/full ] || skip 'there is no /dev/full'
    run -1 sftp put /dev/full <"$BATS_FILE_TMPDIR/bytes"
    [[ $output == "cannot write '/dev/full' on 'backup1': "* ]]
}

# a_backup: a directory of some files in $BACKUP
a_backup() {
    local n
    BACKUP=$BATS_TEST_TMPDIR/backup
    mkdir "$BACKUP"
    for n in 1 2 3 4 5 6; do
        head -c 5000000 /dev/urandom >"$BACKUP/disk.$n.0"
    done
    echo document >"$BACKUP/vm.xml"
    chmod 640 "$BACKUP/vm.xml"
    touch -d @1000000000 "$BACKUP/vm.xml"
}
# through_proxy ARGS...: all our connections go through such a proxy
through_proxy() {
    local sshd=$BATS_FILE_TMPDIR/sshd port
    "$FIXTURES/proxy" "$(awk '$1 == "Port" { print $2 }' "$sshd/ssh_config")" "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/proxy" 3>&- &
    PROXY=$!
    eventually test -s "$BATS_TEST_TMPDIR/proxy"
    read -r port <"$BATS_TEST_TMPDIR/proxy"
    mkdir "$BATS_TEST_TMPDIR/bin"
    sed "s/Port .*/Port $port/" "$sshd/ssh_config" >"$BATS_TEST_TMPDIR/ssh_config"
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$BATS_TEST_TMPDIR/ssh_config" \
        >"$BATS_TEST_TMPDIR/bin/ssh"
    chmod 755 "$BATS_TEST_TMPDIR/bin/ssh"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}
teardown() { [ -z "${PROXY-}" ] || kill "$PROXY"; }

@test "a backup is stored with modes and times, and removes what an upload left that died" {
    a_backup
    mkdir -p "$BATS_TEST_TMPDIR/base/7/0123ab.partial"
    echo '{"key":"another","durable":{}}' >"$BATS_TEST_TMPDIR/base/7/0123ab.partial/.upload"
    touch -d '25 hours ago' "$BATS_TEST_TMPDIR/base/7/0123ab.partial"/{.upload,}
    ARGS=-aS run -0 link backup1 store "$BACKUP" "$BATS_TEST_TMPDIR/base" 7 abcdef
    [ "$output" = 'sent whole, by SFTP: 7 files, 30000009 bytes' ]
    diff -r "$BACKUP" "$BATS_TEST_TMPDIR/base/7/abcdef"
    [ "$(stat -c '%a %Y' "$BATS_TEST_TMPDIR/base/7/abcdef/vm.xml")" = '640 1000000000' ]
    [ "$(ls -A "$BATS_TEST_TMPDIR/base/7")" = abcdef ]
}

@test "an upload goes on where a lost connection had brought it" {
    a_backup
    through_proxy --cut 14000000
    run -0 --separate-stderr link backup1 store "$BACKUP" "$BATS_TEST_TMPDIR/base" 7 abcdef
    [[ $output == *', in 3 connections' ]]
    [[ $stderr == *'; trying to go on'* ]]
    diff -r "$BACKUP" "$BATS_TEST_TMPDIR/base/7/abcdef"
}

@test "what cannot be stored has no name" {
    a_backup
    mkdir -p "$BATS_TEST_TMPDIR/base/7/abcdef"
    echo theirs >"$BATS_TEST_TMPDIR/base/7/abcdef/disk.0.0"
    run -1 link backup1 store "$BACKUP" "$BATS_TEST_TMPDIR/base" 7 abcdef   # taken
    [[ $output == "cannot give its name to '$BATS_TEST_TMPDIR/base/7/abcdef.partial."*"' on 'backup1': "* ]]
    [ "$(ls -A "$BATS_TEST_TMPDIR/base/7")" = abcdef ]
    [ "$(cat "$BATS_TEST_TMPDIR/base/7/abcdef/disk.0.0")" = theirs ]
}

# a_chain: a full and two increments of a disk, with the layout that qemu makes, in $VM
a_chain() {
    VM=$BATS_TEST_TMPDIR/base/7
    mkdir -p "$VM"/{aaaa00,aaaa01,aaaa02}
    qemu-img create -q -f qcow2 "$VM/aaaa00/disk.0.0" 16M
    qemu-io -c 'write -P 1 0 4M' -c 'write -P 2 8M 1M' "$VM/aaaa00/disk.0.0" >/dev/null
    qemu-img create -q -f qcow2 -F qcow2 -b "$VM/aaaa00/disk.0.0" "$VM/aaaa01/disk.0.1"
    qemu-io -c 'write -P 3 1M 1M' -c 'write -z 8M 512k' "$VM/aaaa01/disk.0.1" >/dev/null
    qemu-img create -q -f qcow2 -F qcow2 -b "$VM/aaaa01/disk.0.1" "$VM/aaaa02/disk.0.2"
    qemu-io -c 'write -P 4 12M 64k' "$VM/aaaa02/disk.0.2" >/dev/null
    qemu-img convert -O raw "$VM/aaaa02/disk.0.2" "$BATS_TEST_TMPDIR/disk"
    qemu-img convert -O raw "$VM/aaaa01/disk.0.1" "$BATS_TEST_TMPDIR/disk1"
    echo newest >"$VM/aaaa01/vm.xml"
    CHAIN=0:aaaa00,1:aaaa01,2:aaaa02
}

@test "a chain that qemu wrote is merged while it is read" {
    a_chain
    link backup1 merge "$VM" "$CHAIN" 0 >"$BATS_TEST_TMPDIR/merged"
    qemu-img compare -f qcow2 -F raw "$BATS_TEST_TMPDIR/merged" "$BATS_TEST_TMPDIR/disk"
    rm -r "$VM/aaaa01"
    run -1 link backup1 merge "$VM" "$CHAIN" 0
    [ "$output" = "there is no '$VM/aaaa01' on 'backup1'" ]
}

@test "a chain is flattened, and again with the same answer" {
    a_chain
    run -0 link backup1 flatten "$VM" "$CHAIN" 2
    [ "$output" = '5 1:aaaa01,2:aaaa02' ]
    local answer=$output
    [ "$(ls -A "$VM")" = $'aaaa01\naaaa02' ]
    [ "$(cat "$VM/aaaa01/vm.xml")" = newest ]
    qemu-img compare -f qcow2 -F raw "$VM/aaaa01/disk.0.1" "$BATS_TEST_TMPDIR/disk1"
    link backup1 merge "$VM" "$CHAIN" 0 >"$BATS_TEST_TMPDIR/merged"   # who has the old chain reads right
    qemu-img compare -f qcow2 -F raw "$BATS_TEST_TMPDIR/merged" "$BATS_TEST_TMPDIR/disk"
    run -0 link backup1 flatten "$VM" "$CHAIN" 2
    [ "$output" = "$answer" ]
}

@test "a flatten of disks with checksums leaves those of the merged one, and merges no other bytes" {
    a_chain
    local i
    for i in 0 1 2; do "$FIXTURES/sums" "$VM/aaaa0$i/disk.0.$i" >"$VM/aaaa0$i/sums.0.$i"; done
    cp "$VM/aaaa01/sums.0.1" "$BATS_TEST_TMPDIR/sums"
    head -c 32 /dev/zero >"$VM/aaaa01/sums.0.1"
    run -1 link backup1 flatten "$VM" "$CHAIN" 2
    [[ $output == *"aaaa01/disk.0.1' is not what was backed up from offset 0 on" ]]
    cp "$BATS_TEST_TMPDIR/sums" "$VM/aaaa01/sums.0.1"
    run -0 link backup1 flatten "$VM" "$CHAIN" 2
    cmp "$VM/aaaa01/sums.0.1" <("$FIXTURES/sums" "$VM/aaaa01/disk.0.1")
}

@test "a flatten that was killed between its two renames comes to its end" {
    a_chain
    cp -r "$VM" "$BATS_TEST_TMPDIR/as_it_was"
    link backup1 flatten "$VM" "$CHAIN" 2
    mv "$VM/aaaa01" "$VM/aaaa01.flat"
    cp -r "$BATS_TEST_TMPDIR/as_it_was/aaaa01" "$VM/aaaa01.old"
    cp -r "$BATS_TEST_TMPDIR/as_it_was/aaaa00" "$VM/aaaa00"
    cp -r "$VM" "$BATS_TEST_TMPDIR/cut_off"
    run -0 link backup1 flatten "$VM" "$CHAIN" 2
    [ "$output" = '5 1:aaaa01,2:aaaa02' ]
    [ "$(ls -A "$VM")" = $'aaaa01\naaaa02' ]
    qemu-img compare -f qcow2 -F raw "$VM/aaaa01/disk.0.1" "$BATS_TEST_TMPDIR/disk1"
    # So does another one, that merges more.
    rm -r "$VM" && cp -r "$BATS_TEST_TMPDIR/cut_off" "$VM"
    run -0 link backup1 flatten "$VM" "$CHAIN" 1
    [ "$(ls -A "$VM")" = aaaa02 ]
    qemu-img compare -f qcow2 -F raw "$VM/aaaa02/disk.0.2" "$BATS_TEST_TMPDIR/disk"
}
