# SPDX-License-Identifier: Apache-2.0
# increment_flatten by an ordinary user, in a user namespace.  The tests are those of flatten.bats
# and flatten_deaths.bats, run as nobody, with a /dev/fuse that everybody may open.
load "$BATS_TEST_DIRNAME/../../helper.bash"

as_nobody() {
    setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin \
        HOME="$home" TMPDIR="$home" BUILD="$BUILD" "$@"
}

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'flatten.bats has shown it: this is an ordinary user'
    unshare -m --propagation private true 2>/dev/null || skip 'no mount namespace can be made here'
    home=$(mktemp -d)  # not below bats's own directory, which is for us alone
    chown 65534:65534 "$home"
    as_nobody test -x "$BUILD/datastore/restic/increment_flatten" -a -w "$home" ||
        skip 'the tree is not for everybody to read'
    as_nobody unshare -U -m true 2>/dev/null || skip 'an ordinary user can make no namespaces here'
    fuse=$BATS_TEST_TMPDIR/fuse
    { mknod -m 666 "$fuse" c 10 229 && : <"$fuse"; } 2>/dev/null || skip 'no device can be made here'
}

teardown() { [ -z "${home-}" ] || rm -rf "$home"; }

# passes COUNT FILE FILTER
passes() {
    # shellcheck disable=SC2016 # the inner shell has to expand it
    run unshare -m --propagation private bash -c 'mount --bind "$0" /dev/fuse && exec "$@"' "$fuse" \
        setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin \
        HOME="$home" TMPDIR="$home" BUILD="$BUILD" bats --formatter tap -f "$3" "$BATS_TEST_DIRNAME/$2"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ok' <<<"$output")" -eq "$1" ]
    [[ $output != *'# skip'* ]]
}

@test "an ordinary user flattens as root does, whatever is at the VM's directory" {
    passes 3 flatten.bats 'oldest become one|directory of the VM now|cancelled while'
}

@test "an ordinary user's flatten is killed, and called again" {
    passes 1 flatten_deaths.bats 'killed while it stores'
}

@test "where the user's ssh reads configuration of root's, it still does in there" {
    # ssh refuses files that are included and belong to neither root nor the user.  In there root is
    # nobody, so the user must be another.
    id daemon >/dev/null || skip 'there is no user daemon'
    cat >"$BATS_TEST_TMPDIR/try" <<'SH'
mount --bind "$1" /dev/fuse || exit
mkdir -p /etc/ssh/ssh_config.d
mount -t tmpfs none /etc/ssh/ssh_config.d || exit
echo 'Host from-root
    HostName 127.0.0.9' >/etc/ssh/ssh_config.d/10-root.conf
shift
exec setpriv --reuid daemon --regid daemon --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin "$@"
SH
    grep -qs '^Include /etc/ssh/ssh_config.d/' /etc/ssh/ssh_config || skip 'nothing is included here'
    run unshare -m --propagation private bash "$BATS_TEST_TMPDIR/try" "$fuse" \
        "$BUILD/unit-tests" --gtest_filter=PrivateMountTest.LetsSshReadItsConfiguration
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *'[  PASSED  ] 1 test.'* ]]
}
