#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts vmvault's drivers into an OpenNebula front-end, and takes them out again.
#
#   ./install.sh [OPTION...]
#
#   -u USER, -g GROUP     who owns the drivers (default: the owner of the remotes)
#   -d ONE_LOCATION       a self-contained front-end (default: $ONE_LOCATION; else the system's)
#   --prefix DIR          for the command and the manual (default: /usr/local, or ONE_LOCATION)
#   --from DIR            what `./install.sh --stage DIR` made, perhaps on another machine
#   --stage DIR           only make that
#   --mads, --no-mads     all of vmvault's MADs, or none (default: one_vmm_exec, the front of the stock one)
#   --uninstall           remove what was installed, and put back what it replaced
#   --check               say what would change, also by --uninstall, and change nothing
#
# What is replaced stays beside its successor as <name>.stock: vmvault hands it what it does not
# serve itself.  Hypervisors get theirs by `onehost sync`.
set -euo pipefail

usage() {
    sed -n '/^#   \.\/install/,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
    exit "${1:-2}"
}
die() {
    echo "install.sh: $*" >&2
    exit 1
}

user='' group='' one=${ONE_LOCATION-} prefix='' from='' stage='' mads=front mode=install check=''
while [ $# -gt 0 ]; do
    case $1 in
    -u | -g | -d | --prefix | --from | --stage)
        [ $# -gt 1 ] || usage >&2
        case $1 in
        -u) user=$2 ;;
        -g) group=$2 ;;
        -d) one=$2 ;;
        --prefix) prefix=$2 ;;
        --from) from=$2 ;;
        --stage) stage=$2 ;;
        esac
        shift
        ;;
    --check) check=yes ;;
    --uninstall) mode=uninstall ;;
    --mads) mads=all ;;
    --no-mads) mads=none ;;
    -h | --help) usage 0 ;;
    *)
        echo "install.sh: what is '$1'?" >&2
        usage >&2
        ;;
    esac
    shift
done

tree=$(cd "$(dirname "$0")" && pwd)
var=${DESTDIR-}${one:+$one/var}
[ -n "$one" ] || var=${DESTDIR-}/var/lib/one
remotes=$var/remotes
lib=${DESTDIR-}${one:+$one/lib}
[ -n "$one" ] || lib=${DESTDIR-}/usr/lib/one
[ -n "$prefix" ] || prefix=${one:-/usr/local}
prefix=${DESTDIR-}$prefix
ours_dir=$var/vmvault   # where the drivers keep what they have to remember, too
manifest=$ours_dir/installed

# Everything below one directory, in the places that `place` knows.
make_stage() {
    make -s -C "$tree" install DESTDIR="$1" REMOTES=/remotes PREFIX=/prefix MADS=/mads UNITDIR=/units \
        ${BUILD:+BUILD="$BUILD"} >&2
    rm -rf "${1:?}/units"   # of hypervisors: `make install` there
}

if [ -n "$stage" ]; then
    mkdir -p "$stage"
    make_stage "$(cd "$stage" && pwd)"
    exit
fi

[ -d "$remotes" ] || die "no OpenNebula front-end here: '$remotes' is missing (-d ONE_LOCATION?)"
[ -n "$user" ] || user=$(stat -c %U "$remotes")
[ -n "$group" ] || group=$(stat -c %G "$remotes")
getent passwd "$user" >/dev/null || die "there is no user '$user' (-u USER?)"
getent group "$group" >/dev/null || die "there is no group '$group' (-g GROUP?)"
root() { [ "$(id -u)" -eq 0 ]; }
if [ -z "$check" ] && ! root; then
    [ "$(id -un)" = "$user" ] || die "only root can install for '$user', and you are '$(id -un)': try sudo"
    for place in "$remotes" "$lib/mads" "$prefix"; do
        while [ ! -e "$place" ]; do place=$(dirname "$place"); done
        [ -w "$place" ] || die "you may not write to '$place': try sudo"
    done
fi
[ ! -d "$ours_dir" ] || [ -x "$ours_dir" ] || die "you may not read '$ours_dir': try sudo"
if [ -z "$check" ]; then
    exec {turn}<"$remotes"
    flock -n "$turn" || die "another install.sh is at work in '$remotes'"
fi

# place STAGED: where it goes
place() {
    case $1 in
    remotes/*) echo "$remotes/${1#remotes/}" ;;
    prefix/*) echo "$prefix/${1#prefix/}" ;;
    mads/one_vmm_exec) [ $mads = none ] || echo "$lib/$1" ;;
    mads/*) [ $mads != all ] || echo "$lib/$1" ;;
    esac
}

# print_of FILE: its bytes, or where it leads; "-": there is none
print_of() {
    if [ -L "$1" ]; then echo "link:$(readlink "$1")"
    elif [ -f "$1" ]; then sha256sum <"$1" | cut -d ' ' -f 1
    elif [ -e "$1" ]; then die "'$1' is in the way: it is no file"
    else echo -; fi
}

# What we have put somewhere, by place; more than one where an installation was broken off.
declare -A ours=()
if [ -e "$manifest" ]; then
    while IFS=$'\t' read -r print path; do ours[$path]+=" $print"; done <"$manifest"
fi
is_ours() { [[ " ${ours[$1]-} " == *" $2 "* ]]; }

changes=0
tell() {
    changes=$((changes + 1))
    printf '%-8s %s\n' "$1" "$2"
}
doing() { [ -z "$check" ]; }

# own PATH...: it belongs to whoever runs the drivers, below var and in a front-end of one's own; else to root
own() {
    local path
    root || return 0
    for path; do
        if [ -n "$one" ] || [[ $path == "$var"/* ]]; then chown -h "$user:$group" "$path"; else chown -h root:root "$path"; fi
    done
}

# make_directory DIR: with those above it
make_directory() {
    [ ! -d "$1" ] || return 0
    make_directory "$(dirname "$1")"
    mkdir "$1"
    own "$1"
}

# A name is always there: whoever runs the old file goes on with it.
put() {
    make_directory "$(dirname "$2")"
    cp -Pp "$1" "$2.vmvault-new"
    own "$2.vmvault-new"
    mv -Tf "$2.vmvault-new" "$2"
}

note() { printf '%s\t%s\n' "$1" "$2" >>"$manifest"; }

# keep FILE: what is there stays beside, runnable
keep() {
    cp -Pp "$1" "$1.stock.vmvault-new"
    mv -Tf "$1.stock.vmvault-new" "$1.stock"
}

# mend_link KEPT: a link to something that was replaced too leads to what is kept of that
mend_link() {
    local text
    [ -L "$1" ] || return 0
    text=$(readlink "$1")
    (cd "$(dirname "$1")" && [ -e "$text.stock" ]) || return 0
    ln -sfT "$text.stock" "$1.vmvault-new"
    own "$1.vmvault-new"
    mv -Tf "$1.vmvault-new" "$1"
}

# give_back FILE: what was kept is there again, or nothing
give_back() {
    local text
    if [ -L "$1.stock" ] && text=$(readlink "$1.stock") && [[ $text == *.stock ]]; then
        ln -sfnT "${text%.stock}" "$1.stock"
    fi
    if [ -e "$1.stock" ] || [ -L "$1.stock" ]; then mv -Tf "$1.stock" "$1"; else
        rm -f "$1"
        # Directories that were made for it.
        rmdir -p --ignore-fail-on-non-empty "$(dirname "$1")" 2>/dev/null || true
    fi
}

# take_out PATH: ours goes, unless somebody has put another in its place, whose predecessor then goes
take_out() {
    local have
    have=$(print_of "$1")
    ! doing || rm -f "$1.vmvault-new" "$1.stock.vmvault-new"   # of an installation that was killed
    if is_ours "$1" "$have"; then
        if [ -e "$1.stock" ] || [ -L "$1.stock" ]; then tell restore "$1"; else tell remove "$1"; fi
        ! doing || give_back "$1"
    elif [ "$have" = - ]; then
        [ ! -e "$1.stock" ] || { tell restore "$1" && { ! doing || give_back "$1"; }; }
    elif [ -e "$1.stock" ] || [ -L "$1.stock" ] || [[ $1 == "$remotes"/etc/* ]]; then
        [ "$have" = "$(print_of "$1.stock")" ] || tell leave "$1  (changed since)"
        ! doing || rm -f "$1.stock"
    fi
}

install_all() {
    local staged to have want known=()
    while IFS= read -r staged; do
        to=$(place "$staged")
        [ -n "$to" ] || continue
        have=$(print_of "$to")
        want=$(print_of "$from/$staged")
        if [[ $staged == remotes/etc/* && $have != - && $have != "$want" ]] && ! is_ours "$to" "$have"; then
            continue   # somebody's settings
        fi
        known+=("$want"$'\t'"$to")
        staying[$to]=1
        [ "$have" != "$want" ] || continue
        if [ "$have" = - ]; then tell add "$to"
        elif is_ours "$to" "$have"; then tell update "$to"
        else tell replace "$to  (kept as ${to##*/}.stock)"; fi
        doing || continue
        rm -f "$to.vmvault-new" "$to.stock.vmvault-new"
        note "$want" "$to"
        [ "$have" = - ] || is_ours "$to" "$have" || keep "$to"
        put "$from/$staged" "$to"
    done < <(cd "$from" && find . \( -type f -o -type l \) -printf '%P\n' | sort)
    # What an earlier version had.
    local path
    for path in "${!ours[@]}"; do [ -n "${staying[$path]-}" ] || take_out "$path"; done
    doing || return 0
    for path in "${!staying[@]}"; do mend_link "$path.stock"; done
    printf '%s\n' "${known[@]}" >"$manifest.new"
    own "$manifest.new"
    mv -f "$manifest.new" "$manifest"
}

declare -A staying=()
if [ "$mode" = uninstall ]; then
    [ -e "$manifest" ] || die "nothing of vmvault is installed there ('$manifest' is missing)"
    while IFS= read -r path; do take_out "$path"; done < <(printf '%s\n' "${!ours[@]}" | sort -r)
    doing || exit 0
    rm -f "$manifest"
    echo 'vmvault is uninstalled.  Next: restart opennebula, and onehost sync --force'
    exit
fi
if [ -z "$from" ]; then
    from=$(mktemp -d)
    trap 'rm -rf "$from"' EXIT
    make_stage "$from"
fi
[ -d "$from/remotes" ] || die "'$from' is nothing that --stage has made"
if doing; then
    make_directory "$ours_dir"
    chmod 700 "$ours_dir"
    own "$ours_dir"
fi
install_all
if [ $changes -eq 0 ]; then echo 'Nothing to change: this vmvault is installed.'
elif doing; then echo 'vmvault is installed.  Next: restart opennebula, and onehost sync --force'; fi
