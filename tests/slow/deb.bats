# SPDX-License-Identifier: Apache-2.0
# The Debian packages in an otherwise empty Debian: installed, used, upgraded, purged.

load ../helper.bash

MIRROR=http://deb.debian.org/debian

setup_file() {
    local why=
    [ "$(id -u)" -eq 0 ] || why='only root can make a system to install into'
    [ -n "$why" ] || "$ROOT/scripts/deps" --check deb 2>/dev/null || why='debhelper, debootstrap or lintian is missing'
    # bats 1.8 takes a skip in setup_file for a failure; scripts/run-tests knows this line.
    [ -z "$why" ] || { echo "SKIP: $why" && return 1; }
    "$ROOT/scripts/deb" "$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/built"
    export DEB=$BATS_FILE_TMPDIR/deb SYSTEM=$BATS_FILE_TMPDIR/system
    debootstrap --variant=minbase bookworm "$SYSTEM" "$MIRROR" >"$BATS_FILE_TMPDIR/debootstrap" ||
        { tail "$BATS_FILE_TMPDIR/debootstrap" && return 1; }
    in_system mount -t proc none /proc
    printf '#!/bin/sh\nexit 101\n' >"$SYSTEM/usr/sbin/policy-rc.d"   # nothing is started there
    chmod +x "$SYSTEM/usr/sbin/policy-rc.d"
    mkdir "$SYSTEM/packages"
    cp "$DEB"/*.deb "$SYSTEM/packages"
}

teardown_file() {
    if mountpoint -q "$SYSTEM/proc"; then umount "$SYSTEM/proc"; fi
}

in_system() { chroot "$SYSTEM" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" 3>&-; }
apt() { in_system apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@"; }

# package NAME [next-]: its file, as it is seen in there
package() { echo "/packages/${2-}$(basename "$DEB/$1"_*.deb)"; }

# Everything that is in the system, without what apt and dpkg know.
inventory() {
    (cd "$SYSTEM" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
        -o -path ./packages -o -path ./proc \) -prune -o -print | sort)
}

# A later version of each package: the same with another number.
next_version() {
    local deb name
    for deb in "$DEB"/*.deb; do
        name=$(basename "$deb")
        rm -rf "$BATS_TEST_TMPDIR/next"
        dpkg-deb -R "$deb" "$BATS_TEST_TMPDIR/next"
        sed -i 's/^Version: .*/&+1/; s/(= \([^)]*\))/(= \1+1)/' "$BATS_TEST_TMPDIR/next/DEBIAN/control"
        dpkg-deb -b --root-owner-group "$BATS_TEST_TMPDIR/next" "$SYSTEM/packages/next-$name" >/dev/null
    done
}

# A front-end with drivers of its own, as OpenNebula's packages leave it.
front_end() {
    local file
    in_system useradd -r -d /var/lib/one -s /bin/bash oneadmin
    for file in tm/qcow2/prebackup datastore/restic/backup; do
        mkdir -p "$SYSTEM/var/lib/one/remotes/$(dirname "$file")"
        printf '#!/bin/sh\necho stock\n' >"$SYSTEM/var/lib/one/remotes/$file"
        chmod +x "$SYSTEM/var/lib/one/remotes/$file"
    done
    mkdir -p "$SYSTEM/usr/lib/one/mads"
    printf '#!/bin/sh\necho stock\n' >"$SYSTEM/usr/lib/one/mads/one_vmm_exec"
    chmod +x "$SYSTEM/usr/lib/one/mads/one_vmm_exec"
    in_system chown -R oneadmin: /var/lib/one
}

@test "lintian has no errors" {
    run -0 lintian --fail-on error --tag-display-limit 0 "$DEB"/*.changes
    [[ $output != *'E: '* ]]
}

@test "the command works in an empty system, before and after an upgrade, and purging leaves only what it backed up" {
    local disk
    apt install -y --no-install-recommends qemu-utils restic fuse3 openssh-client libvirt0
    inventory >"$BATS_TEST_TMPDIR/before"

    apt install -y --no-install-recommends "$(package vmvault)" "$(package vmvault-host)"
    in_system vmvault --version
    [ "$(in_system vmvault --version)" = "$(vmvault --version)" ]
    echo 'MAX_BACKUPS = 7' >"$SYSTEM/etc/vmvault/vmvaultd.conf"
    [ "$(in_system readlink -f /usr/libexec/vmvault/etc/vmvaultd.conf)" = /etc/vmvault/vmvaultd.conf ]
    [ -x "$SYSTEM/etc/libvirt/hooks/qemu.d/vmvault" ]
    [ ! -L "$SYSTEM/etc/systemd/system/multi-user.target.wants/vmvaultd.service" ]
    [ -L "$SYSTEM/etc/systemd/system/timers.target.wants/vmvault-recover.timer" ]
    in_system /usr/libexec/vmvault/tm/host/backup_host recover --all

    next_version
    apt install -y --no-install-recommends "$(package vmvault next-)" "$(package vmvault-host next-)"
    [[ $(in_system dpkg-query -W vmvault) == *+1 ]]
    [ "$(cat "$SYSTEM/etc/vmvault/vmvaultd.conf")" = 'MAX_BACKUPS = 7' ]
    in_system vmvault --version

    mkdir -p "$SYSTEM/var/lib/vmvault"
    echo secret >"$SYSTEM/var/lib/vmvault/restic.password"
    run -0 apt purge -y --autoremove vmvault vmvault-host
    [[ $output == *'/var/lib/vmvault stays'* ]]
    inventory >"$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" | grep '^[<>]' | tee /dev/stderr >"$BATS_TEST_TMPDIR/left"
    [ "$(cat "$BATS_TEST_TMPDIR/left")" = "$(printf '> ./%s\n' var/lib/vmvault var/lib/vmvault/restic.password)" ]
}

@test "a front-end gets the drivers, gets them again after its own upgrade, and has its own back in the end" {
    local place=var/lib/one/remotes/tm/qcow2/prebackup
    apt install -y --no-install-recommends "$(package vmvault-opennebula)"
    [ ! -e "$SYSTEM/var/lib/one" ]

    front_end
    in_system dpkg-trigger --no-await /var/lib/one/remotes
    in_system dpkg --triggers-only --pending
    cmp "$SYSTEM/$place" "$SYSTEM/usr/lib/vmvault-opennebula/remotes/tm/qcow2/prebackup"
    [ "$(in_system /$place.stock)" = stock ]
    [ "$(in_system stat -c %U /$place)" = oneadmin ]

    # What an upgrade of OpenNebula does.
    printf '#!/bin/sh\necho newer\n' >"$SYSTEM/$place"
    in_system dpkg-trigger --no-await /var/lib/one/remotes
    in_system dpkg --triggers-only --pending
    cmp "$SYSTEM/$place" "$SYSTEM/usr/lib/vmvault-opennebula/remotes/tm/qcow2/prebackup"
    [ "$(in_system /$place.stock)" = newer ]

    apt purge -y vmvault-opennebula
    [ "$(in_system /$place)" = newer ]
    [ "$(in_system /usr/lib/one/mads/one_vmm_exec)" = stock ]
    run find "$SYSTEM/var/lib/one" "$SYSTEM/usr/lib/one" -name '*.stock*'
    [ -z "$output" ]
    [ ! -e "$SYSTEM/usr/lib/vmvault-opennebula" ]
}
