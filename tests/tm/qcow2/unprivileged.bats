# SPDX-License-Identifier: Apache-2.0
# Views for an ordinary user: fusermount3 mounts and unmounts for him, and libvirt is his own.  The
# tests are those of view.bats, run as nobody, with a /dev/fuse that everybody may open.

load helper.bash

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"; }

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'view.bats has shown it: this is an ordinary user'
    unshare -m --propagation private true 2>/dev/null || skip 'no mount namespace can be made here'
    fuse=$BATS_TEST_TMPDIR/fuse
    { mknod -m 666 "$fuse" c 10 229 && : <"$fuse"; } 2>/dev/null || skip "no device can be made here"
    guest_build  # nobody cannot
    home=$(mktemp -d)  # not below bats's own directory, which is for us alone
    chown 65534:65534 "$home"
    as_nobody test -x "$BUILD/tm/host/backup_host" -a -w "$home" ||
        skip 'the tree is not for everybody to read'
}

teardown() { [ -z "${home-}" ] || rm -rf "$home"; }

@test "an ordinary user has views, and nothing of them stays, whoever dies" {
    # shellcheck disable=SC2016 # the inner shell has to expand it
    run unshare -m --propagation private bash -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$fuse" \
        setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$home" \
        TMPDIR="$home" BUILD="$BUILD" VMVAULT_TEST_CACHE="$home/cache" \
        bats --formatter tap -f 'holds what|exporter is killed|both are killed|its lease' "$BATS_TEST_DIRNAME/view.bats"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ok' <<<"$output")" -eq 4 ]
    [[ $output != *'# skip'* ]]
}
