#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The same flows as oneadmin has them: an ordinary user, who may open /dev/fuse and has a libvirt of his own.
# As nobody, who may not log in: so without ssh.

load ../helper

as_oneadmin() { setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"; }

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'flows.bats has shown it: this is an ordinary user'
    unshare -m --propagation private true 2>/dev/null || skip 'no mount namespace can be made here'
    fuse=$BATS_TEST_TMPDIR/fuse
    { mknod -m 666 "$fuse" c 10 229 && : <"$fuse"; } 2>/dev/null || skip 'no device can be made here'
    guest_build   # nobody cannot
    home=$(mktemp -d)   # not below bats's own directory, which is for us alone
    chown 65534:65534 "$home"
    as_oneadmin test -x "$BUILD/tm/host/backup_host" -a -w "$home" || skip 'the tree is not for everybody to read'
}
teardown() { [ -z "${home-}" ] || rm -rf "$home"; }

@test "a chain of a running VM, KEEP_LAST, an image of it, in place" {
    # shellcheck disable=SC2016 # the inner shell has to expand it
    run unshare -m --propagation private bash -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$fuse" \
        setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$home" \
        TMPDIR="$home" BUILD="$BUILD" NO_SSH=yes VMVAULT_TEST_CACHE="$home/cache" \
        bats --formatter tap -f 'restic: .*(running VM|KEEP_LAST|an image is made)|in place' "$BATS_TEST_DIRNAME/flows.bats"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ok' <<<"$output")" -eq 4 ]
    [[ $output != *'# skip'* ]]
}
