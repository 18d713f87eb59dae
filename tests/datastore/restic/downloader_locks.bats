# SPDX-License-Identifier: Apache-2.0
# The locks of the restics that the downloader runs side by side, and what it does about them.

load "$BATS_TEST_DIRNAME/../../helper.bash"
load restic.bash
load downloader.bash

@test "a dump that is not needed is not interrupted before it has its lock" {
    random_chain
    local real
    real=$(command -v restic)
    mkdir "$BATS_TEST_TMPDIR/slow"
    # That the first file is of random layout is known long before the second dump has begun.
    cat >"$BATS_TEST_TMPDIR/slow/restic" <<SH
#!/bin/bash
case " \$* " in *' dump '*disk.0.1*)
    trap "echo interrupted >>'$BATS_TEST_TMPDIR/notes'; exit 130" INT
    sleep 3 &
    wait
    trap - INT ;;
esac
exec '$real' "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/slow/restic"
    PATH=$BATS_TEST_TMPDIR/slow:$PATH download
    expect . b . . . .
    [ ! -e "$BATS_TEST_TMPDIR/notes" ]
}

@test "only the beginning is wanted, and restic goes without its lock: it is removed" {
    sequential "$FILES/disk.0.0" 80 0=a
    head -c 4M /dev/urandom | dd of="$FILES/disk.0.0" bs=64k seek=5 conv=notrunc status=none
    keep 0
    local real
    real=$(command -v restic)
    mkdir "$BATS_TEST_TMPDIR/rude"
    cat >"$BATS_TEST_TMPDIR/rude/restic" <<SH
#!/bin/bash
case " \$* " in *' dump '*) ;; *) exec '$real' "\$@" ;; esac
'$real' "\$@" &
trap "kill -KILL \$!; wait \$!; echo killed >>'$BATS_TEST_TMPDIR/notes'; exit 130" INT
wait
SH
    chmod +x "$BATS_TEST_TMPDIR/rude/restic"
    PATH=$BATS_TEST_TMPDIR/rude:$PATH "$BUILD/datastore/restic/downloader" --stream "$URL" 2>/dev/null |
        head -c 100000 >/dev/null || true
    [ -e "$BATS_TEST_TMPDIR/notes" ]
    [ -z "$(locks)" ]
}

@test "no dump ends, and takes its lock away, while another one begins" {
    three_increments
    local real
    real=$(command -v restic)
    mkdir "$BATS_TEST_TMPDIR/slow"
    # The oldest begins when the newest might have ended.
    cat >"$BATS_TEST_TMPDIR/slow/restic" <<SH
#!/bin/bash
case " \$* " in
*' dump '*disk.0.0*)
    read -r newest <'$BATS_TEST_TMPDIR/newest'
    timeout 3 tail -s 0.1 -f --pid="\$newest" /dev/null
    kill -0 "\$newest" || echo ended >>'$BATS_TEST_TMPDIR/notes' ;;
*' dump '*disk.0.2*) echo \$\$ >'$BATS_TEST_TMPDIR/newest' ;;
esac
exec '$real' "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/slow/restic"
    mkfifo "$BATS_TEST_TMPDIR/newest"
    PATH=$BATS_TEST_TMPDIR/slow:$PATH download
    expect a B . C . D
    [ ! -e "$BATS_TEST_TMPDIR/notes" ]
}

@test "a dump that waits for a lock that is gone is begun anew" {
    three_increments
    local real
    real=$(command -v restic)
    mkdir "$BATS_TEST_TMPDIR/stuck"
    cat >"$BATS_TEST_TMPDIR/stuck/restic" <<SH
#!/bin/bash
case " \$* " in *' dump '*disk.0.1*)
    echo x >>'$BATS_TEST_TMPDIR/begun'
    if [ \$(wc -l <'$BATS_TEST_TMPDIR/begun') -lt 3 ]; then
        echo 'Load(<lock/b5a775d18c>, 0, 0) returned error, retrying after 552ms: open: no such file or directory' >&2
        exec sleep 600
    fi ;;
esac
exec '$real' "\$@"
SH
    chmod +x "$BATS_TEST_TMPDIR/stuck/restic"
    PATH=$BATS_TEST_TMPDIR/stuck:$PATH timeout 120 "$BUILD/datastore/restic/downloader" --stream "$URL" >"$OUT"
    expect a B . C . D
}
