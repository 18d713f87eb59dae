#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# install.sh in a front-end that is laid out as contract 0.1 and 0.2 say.

load ../helper

setup() {
    ONE=$BATS_TEST_TMPDIR/one
    REMOTES=$ONE/var/remotes
    front_end
    # What `install.sh --stage` makes, much smaller.
    STAGE=$BATS_TEST_TMPDIR/stage
    program tm/qcow2/prebackup
    program tm/qcow2/restore
    program tm/host/backup_host
    program datastore/restic/downloader
    alias_of tm/qcow2/prebackup tm/shared/prebackup
    alias_of tm/qcow2/prebackup tm/ssh/prebackup
    alias_of datastore/restic/downloader datastore/restic_downloader.rb
    mkdir -p "$STAGE/remotes/etc" "$STAGE/prefix/bin" "$STAGE/mads"
    for name in one_vmm_exec one_tm; do
        printf '#!/bin/sh\necho our %s\n' $name >"$STAGE/mads/$name"
        chmod 755 "$STAGE/mads/$name"
    done
    echo '#NAME=1' >"$STAGE/remotes/etc/vmvault.conf"
    cp "$STAGE/remotes/tm/host/backup_host" "$STAGE/prefix/bin/vmvault"
}

teardown() { [ -z "${front-}" ] || rm -rf "$front"; }

# A self-contained front-end, with its stock executables and links.
front_end() {
    mkdir -p "$REMOTES"/{tm/{qcow2,shared,ssh,lib},datastore/{restic,fs},etc} "$ONE/lib/mads"
    for name in tm/qcow2/prebackup tm/shared/prebackup tm/qcow2/clone datastore/restic/backup datastore/restic_downloader.rb; do
        printf '#!/bin/sh\necho "stock %s $*"; cat\n' "$name" >"$REMOTES/$name"
        chmod 755 "$REMOTES/$name"
    done
    ln -s ../shared/prebackup "$REMOTES/tm/ssh/prebackup"
    for name in one_vmm_exec one_tm; do
        echo "echo stock $name; cat" >"$ONE/lib/mads/$name"
        chmod 755 "$ONE/lib/mads/$name"
    done
    echo 7.4.0 >"$REMOTES/VERSION"
    echo "#BACKUP_BASE_PATH=" >"$REMOTES/etc/datastore.conf"
}
program() {
    mkdir -p "$STAGE/remotes/$(dirname "$1")"
    printf '#!/bin/sh\necho ours %s %s\n' "$1" "${2-}" >"$STAGE/remotes/$1"
    chmod 755 "$STAGE/remotes/$1"
}
alias_of() {
    mkdir -p "$STAGE/remotes/$(dirname "$2")"
    ln -sfr "$STAGE/remotes/$1" "$STAGE/remotes/$2"
}

install_sh() { ONE_LOCATION=$ONE "$ROOT/install.sh" --from "$STAGE" "$@"; }
state() { (cd "$ONE" && find . -printf '%P %y %m %l\n' | sort && find . -type f -exec sha256sum {} + | sort -k 2); }

@test "what it replaces is kept, runs as before, and comes back" {
    before=$(state)
    run -0 install_sh
    [[ $output == *'restart opennebula'* ]]
    [ "$("$REMOTES/tm/ssh/prebackup")" = 'ours tm/qcow2/prebackup' ]
    [ "$("$REMOTES/tm/ssh/prebackup.stock" a 'b c' <<<in)" = "stock tm/shared/prebackup a b c
in" ]
    [ "$("$REMOTES/tm/qcow2/prebackup.stock" </dev/null)" = 'stock tm/qcow2/prebackup ' ]
    [ "$("$REMOTES/datastore/restic_downloader.rb.stock" url </dev/null)" = 'stock datastore/restic_downloader.rb url' ]
    [ -x "$REMOTES/tm/host/backup_host" ]
    [ -x "$ONE/bin/vmvault" ]
    [ "$("$REMOTES/tm/qcow2/clone" </dev/null)" = 'stock tm/qcow2/clone ' ]
    run -0 install_sh --uninstall
    rmdir "$ONE/var/vmvault"
    diff <(echo "$before") <(state)
}

@test "the front of the VMM MAD, and with --mads the others" {
    install_sh
    [ "$("$ONE/lib/mads/one_vmm_exec")" = 'our one_vmm_exec' ]
    [ "$(<"$ONE/lib/mads/one_vmm_exec.stock")" = 'echo stock one_vmm_exec; cat' ]
    [ "$(<"$ONE/lib/mads/one_tm")" = 'echo stock one_tm; cat' ]
    install_sh --mads
    [ "$("$ONE/lib/mads/one_tm")" = 'our one_tm' ]
    install_sh --no-mads
    [ "$(<"$ONE/lib/mads/one_vmm_exec")" = 'echo stock one_vmm_exec; cat' ]
    [ "$(<"$ONE/lib/mads/one_tm")" = 'echo stock one_tm; cat' ]
    [ ! -e "$ONE/lib/mads/one_tm.stock" ]
}

@test "a second time nothing changes" {
    install_sh
    before=$(state)
    run -0 install_sh
    [ "$output" = 'Nothing to change: this vmvault is installed.' ]
    [ "$(state)" = "$before" ]
}

@test "--check names what would change, and changes nothing" {
    before=$(state)
    run -0 install_sh --check
    [[ $output == *"replace  $REMOTES/tm/ssh/prebackup  (kept as prebackup.stock)"* ]]
    [[ $output == *"add      $REMOTES/tm/host/backup_host"* ]]
    [ "$(state)" = "$before" ]
    install_sh
    program tm/host/backup_host 2
    before=$(state)
    run -0 install_sh --check
    [ "$output" = "update   $REMOTES/tm/host/backup_host" ]
    [ "$(state)" = "$before" ]
}

@test "a new version replaces ours, never what was kept" {
    install_sh
    program tm/qcow2/prebackup 2
    rm "$STAGE/remotes/tm/qcow2/restore"
    install_sh
    [ "$("$REMOTES/tm/qcow2/prebackup")" = 'ours tm/qcow2/prebackup 2' ]
    [ "$("$REMOTES/tm/qcow2/prebackup.stock" </dev/null)" = 'stock tm/qcow2/prebackup ' ]
    [ ! -e "$REMOTES/tm/qcow2/restore" ]
}

@test "broken off at any time, it goes on where it was" {
    ours=$(cat "$STAGE/remotes/tm/qcow2/prebackup")
    install_sh
    whole=$(state)
    # As if it had died before it wrote the new list, with one file not yet there.
    printf '%s\n' "$(cat "$ONE/var/vmvault/installed")" >>"$ONE/var/vmvault/installed"
    rm "$REMOTES/tm/qcow2/prebackup"
    install_sh
    [ "$(cat "$REMOTES/tm/qcow2/prebackup")" = "$ours" ]
    [ "$(state)" = "$whole" ]
}

@test "killed at any file: a second run goes on, and --uninstall undoes it all" {
    local before n
    before=$(state)
    mkdir "$BATS_TEST_TMPDIR/bin"
    # The n-th of these is not done any more.
    for n in mv ln; do
        cat >"$BATS_TEST_TMPDIR/bin/$n" <<SH
#!/bin/bash
echo >>'$BATS_TEST_TMPDIR/moves'
[ \$(wc -l <'$BATS_TEST_TMPDIR/moves') -lt \$LAST_MOVE ] || { kill -KILL \$PPID; exit 1; }
exec '$(command -v $n)' "\$@"
SH
        chmod +x "$BATS_TEST_TMPDIR/bin/$n"
    done
    install_sh
    whole=$(state)
    install_sh --uninstall
    rmdir "$ONE/var/vmvault"
    for n in 1 2 7 12 14 15 16 17 18; do
        rm -f "$BATS_TEST_TMPDIR/moves"
        LAST_MOVE=$n PATH=$BATS_TEST_TMPDIR/bin:$PATH run install_sh
        [ "$status" -eq 137 ]
        if ((n > 14)); then
            install_sh
            diff <(echo "$whole") <(state)
        fi
        install_sh --uninstall
        rmdir "$ONE/var/vmvault"
        diff <(echo "$before") <(state)
    done
}

@test "--check --uninstall changes nothing either, and names what would come back" {
    install_sh
    before=$(state)
    run -0 install_sh --uninstall --check
    [[ $output == *"restore  $REMOTES/tm/ssh/prebackup"*"remove   $REMOTES/tm/host/backup_host"* ]]
    [[ $output != *uninstalled* ]]
    [ "$(state)" = "$before" ]
    run -0 install_sh --check --uninstall
    [ "$(state)" = "$before" ]
}

@test "an upgrade of OpenNebula is replaced again, and it is what comes back" {
    install_sh
    printf '#!/bin/sh\necho newer stock\n' >"$REMOTES/tm/qcow2/prebackup"
    chmod 755 "$REMOTES/tm/qcow2/prebackup"
    install_sh
    [ "$("$REMOTES/tm/qcow2/prebackup.stock")" = 'newer stock' ]
    printf '#!/bin/sh\necho newest stock\n' >"$REMOTES/tm/qcow2/prebackup"
    run -0 install_sh --uninstall
    [[ $output == *"leave    $REMOTES/tm/qcow2/prebackup"* ]]
    [ "$(sh "$REMOTES/tm/qcow2/prebackup")" = 'newest stock' ]
    [ ! -e "$REMOTES/tm/qcow2/prebackup.stock" ]
}

@test "settings that somebody made stay" {
    install_sh
    echo 'NAME=2' >"$REMOTES/etc/vmvault.conf"
    echo '#NAME=3' >"$STAGE/remotes/etc/vmvault.conf"
    install_sh
    [ "$(<"$REMOTES/etc/vmvault.conf")" = 'NAME=2' ]
    install_sh --uninstall
    [ "$(<"$REMOTES/etc/vmvault.conf")" = 'NAME=2' ]
}

@test "-u and -g: the owner of the drivers; DESTDIR: below a directory" {
    [ "$(id -u)" -eq 0 ] || skip 'only root may give files away'
    mkdir -p "$BATS_TEST_TMPDIR/root/var/lib"
    mv "$ONE/var" "$BATS_TEST_TMPDIR/root/var/lib/one"
    DESTDIR=$BATS_TEST_TMPDIR/root ONE_LOCATION='' "$ROOT/install.sh" --from "$STAGE" -u nobody -g nogroup
    [ "$(stat -c %U:%G "$BATS_TEST_TMPDIR/root/var/lib/one/remotes/tm/host/backup_host")" = nobody:nogroup ]
    [ -x "$BATS_TEST_TMPDIR/root/usr/local/bin/vmvault" ]
    # Where the drivers write, who run as that user.
    [ "$(stat -c %U:%G:%a "$BATS_TEST_TMPDIR/root/var/lib/one/vmvault")" = nobody:nogroup:700 ]
    [ "$(stat -c %U:%G "$BATS_TEST_TMPDIR/root/var/lib/one/vmvault/installed")" = nobody:nogroup ]
}

# as_nobody ARGS...: install.sh by an ordinary user
as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups env ONE_LOCATION="$front" "$ROOT/install.sh" --from "$front/stage" "$@"
}

@test "an ordinary user: in a front-end of his own, not in another's, and not where he may not write" {
    [ "$(id -u)" -eq 0 ] || skip 'only root can be somebody else'
    front=$(mktemp -d)   # not below bats's own directory, which is for us alone
    setpriv --reuid 65534 --regid 65534 --clear-groups test -r "$ROOT/install.sh" -a -d "$front" ||
        skip 'the tree is not for everybody to read'
    cp -r "$ONE/." "$front/"
    cp -r "$STAGE" "$front/stage"
    chmod 755 "$front"
    run -1 as_nobody
    [ "$output" = "install.sh: only root can install for 'root', and you are 'nobody': try sudo" ]
    chown -R 65534:65534 "$front/var"
    run -1 as_nobody
    [ "$output" = "install.sh: you may not write to '$front/lib/mads': try sudo" ]
    [ ! -e "$front/var/vmvault" ]
    run -0 as_nobody --check
    [[ $output == *"add      $front/var/remotes/tm/host/backup_host"* ]]
    chown -R 65534:65534 "$front"
    run -0 as_nobody
    [ -x "$front/var/remotes/tm/host/backup_host" ]
    run -0 as_nobody --uninstall
}

@test "what make install makes: in the front-end, and from there on a host" {
    run -0 make -s -n -C "$ROOT" all man V=1 BUILD="$BUILD"
    [[ $output != *' -c -o '* ]] || skip 'the tree is not all built'
    BUILD=$BUILD "$ROOT/install.sh" --stage "$BATS_TEST_TMPDIR/real"
    STAGE=$BATS_TEST_TMPDIR/real run -0 install_sh
    "$REMOTES/tm/ssh/prebackup_live" --help | grep -q 'tm/qcow2/prebackup_live'
    "$REMOTES/datastore/restic_downloader.rb" --help | grep -q downloader
    diff -r "$ROOT/share/xsd" "$BATS_TEST_TMPDIR/real/prefix/share/vmvault/xsd"
    # The front of the VMM MAD finds the stock one.
    run -0 env ONE_LOCATION="$ONE" "$ONE/lib/mads/one_vmm_exec" '-t 15 -r 0 kvm -p' <<<'INIT'
    [[ $output == *'stock one_vmm_exec'*INIT* ]]
    # onehost sync makes files of the links.
    cp -rL "$REMOTES" "$BATS_TEST_TMPDIR/host"
    "$BATS_TEST_TMPDIR/host/tm/host/backup_host" --help | grep -q backup_host
    "$BATS_TEST_TMPDIR/host/tm/host/restore_host" --help | grep -q restore_host
    STAGE=$BATS_TEST_TMPDIR/real run -0 install_sh --check
    [ "$output" = 'Nothing to change: this vmvault is installed.' ]
}

@test "where there is no front-end, or no such user" {
    ONE_LOCATION=$BATS_TEST_TMPDIR/none run -1 "$ROOT/install.sh" --from "$STAGE"
    [[ $output == *"no OpenNebula front-end here: '$BATS_TEST_TMPDIR/none/var/remotes' is missing"* ]]
    run -1 install_sh -u no-such-user
    [[ $output == *"no user 'no-such-user'"* ]]
    run -1 install_sh -g no-such-group
    [[ $output == *"no group 'no-such-group'"* ]]
    run -2 install_sh --sideways
    [[ $output == "install.sh: what is '--sideways'?"* ]]
    run -1 install_sh --uninstall
    [[ $output == *'nothing of vmvault is installed there'* ]]
    mkdir "$REMOTES/tm/host"
    mkdir "$REMOTES/tm/host/backup_host"
    run -1 install_sh
    [[ $output == *"'$REMOTES/tm/host/backup_host' is in the way: it is no file" ]]
}

@test "two at a time" {
    exec {busy}<"$REMOTES"
    flock "$busy"
    run -1 install_sh
    [ "$output" = "install.sh: another install.sh is at work in '$REMOTES'" ]
    exec {busy}<&-
    install_sh
}
