# SPDX-License-Identifier: Apache-2.0
# drivers/datastore/one_datastore: the lines that a core and its datastore driver exchange.

load helper

setup() { front_end; }
teardown() { stop_mads; }

@test "INIT, a request and FINALIZE" {
    executable datastore/restic/rm 'echo "$0 $*" >>"$CALLS"; cat >"$CALLS.stdin"'
    mad_start datastore/one_datastore '-t 15 -d fs,restic -s shared,ssh'
    tell INIT
    says '^INIT SUCCESS - -$'
    tell "RM  57 $(datastore restic)"
    says '^RM SUCCESS 57 -$'
    tell FINALIZE
    mad_ended
    [ "$(cat "$CALLS")" = "$REMOTES/datastore/restic/rm 57" ]
    [ "$(cat "$CALLS.stdin")" = "$(datastore restic)" ]
}

@test "the answer is the stdout, on one line; that of monitor in base64" {
    executable datastore/restic/stat 'printf "4096\n"'
    executable datastore/restic/cp 'printf "/a  b raw\nmore\n"'
    executable datastore/restic/monitor 'printf "USED_MB=1\nTOTAL_MB=2\nFREE_MB=3\n"'
    mad_start datastore/one_datastore '-t 15 -d restic'
    tell "STAT  3 $(datastore restic)"
    tell "CP  4 $(datastore restic)"
    tell "MONITOR  100 $(datastore restic)"
    says '^STAT SUCCESS 3 4096$'
    says '^CP SUCCESS 4 /a  b raw more$'
    says "^MONITOR SUCCESS 100 $(printf 'USED_MB=1\nTOTAL_MB=2\nFREE_MB=3\n' | base64)\$"
}

@test "the answer to a failure is made of the plain lines of stderr, the others go to the log" {
    executable datastore/restic/rm 'echo "  plain one " >&2; echo "ERROR: rm: why" >&2
        echo "WARN: 12 odd" >&2; echo "plain two" >&2; echo out; exit 3'
    mad_start datastore/one_datastore '-t 15 -d restic'
    tell "RM  57 $(datastore restic)"
    says '^RM FAILURE 57 plain oneplain two$'
    says '^LOG E -1 rm: why$'
    says '^LOG W 12 odd$'
    says "^LOG I 57 Command execution failed (exit code: 3): '$REMOTES/datastore/restic/rm' 57\$"
    says '^LOG I 57 plain one$'
    says '^LOG E 57 rm: why$'
}

@test "a failure without a word, of monitor, and by a signal" {
    executable datastore/restic/rm 'exit 255'
    executable datastore/restic/monitor 'echo no >&2; kill -KILL $$'
    mad_start datastore/one_datastore '-t 15 -d restic'
    tell "RM  57 $(datastore restic)"
    tell "MONITOR  100 $(datastore restic)"
    says '^RM FAILURE 57 -$'
    says "^MONITOR FAILURE 100 $(printf no | base64)\$"
}

@test "a datastore that is not served, one that is none, and an executable that is missing" {
    mkdir -p "$REMOTES/datastore/restic"
    mad_start datastore/one_datastore '-d fs,restic'
    tell "RM  1 $(datastore s3)"
    tell "RM  2 $(payload '<DS_DRIVER_ACTION_DATA/>')"
    tell "RM  3 $(datastore restic)"
    tell "RM  4 $(payload 'no XML')"
    says "^RM FAILURE 1 Datastore driver 's3' not available\$"
    says "^RM FAILURE 2 Datastore driver '' not available\$"
    says "^RM FAILURE 3 .*/datastore/restic/rm': No such file or directory\$"
    says '^RM FAILURE 4 .'
}

@test "without -d every driver that is there is served, and no path" {
    executable datastore/mine/stat 'echo 1'
    executable tm/x/stat 'echo 2'
    mad_start datastore/one_datastore
    tell "STAT  1 $(datastore mine)"
    tell "STAT  2 $(datastore ../tm/x)"
    says '^STAT SUCCESS 1 1$'
    says "^STAT FAILURE 2 Datastore driver '../tm/x' not available\$"
}

@test "a system datastore is monitored by its transfer driver" {
    executable tm/ssh/monitor 'echo USED_MB=7'
    executable datastore/fs/stat 'echo 5'
    mad_start datastore/one_datastore '-t15 --ds-types=fs --sys ssh'
    tell "MONITOR  0 $(datastore fs '<TM_MAD>ssh</TM_MAD><TYPE>1</TYPE>')"
    tell "MONITOR  1 $(datastore fs '<TM_MAD>lvm</TM_MAD><TYPE>1</TYPE>')"
    tell "STAT  2 $(datastore fs '<TM_MAD>ssh</TM_MAD><TYPE>1</TYPE>')"
    says "^MONITOR SUCCESS 0 $(echo USED_MB=7 | base64)\$"
    says "^MONITOR FAILURE 1 $(printf "System datastore driver 'lvm' not available" | base64 -w 0)\$"
    says '^STAT SUCCESS 2 5$'
}

@test "lines come in pieces, and odd ones are ignored" {
    executable datastore/restic/stat 'echo 1'
    mad_start datastore/one_datastore '-d restic'
    local line; line="STAT  9 $(datastore restic)"
    tell ''; tell ' INIT'; tell 'STAT'; tell 'STAT  9'; tell 'NONSENSE  9 x'; tell "$line more"
    head -c 3000 /dev/urandom | tr -d '\n' >&"$to_mad"; tell ''
    local i
    for ((i = 0; i < ${#line}; i += 7)); do printf %s "${line:i:7}" >&"$to_mad"; done
    tell ''
    says '^STAT SUCCESS 9 1$'
    tell INIT
    says '^INIT SUCCESS - -$'
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 2 ]
}

@test "a request of 10 MB reaches its executable" {
    executable datastore/restic/stat 'wc -c'
    head -c 7500000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
    mad_start datastore/one_datastore '-d restic'
    { printf 'STAT  9 '
      { printf '<DS_DRIVER_ACTION_DATA><DATASTORE><DS_MAD>restic</DS_MAD><X>'; cat "$BATS_TEST_TMPDIR/long"
        printf '</X></DATASTORE></DS_DRIVER_ACTION_DATA>'; } | base64 -w 0
      echo; } >&"$to_mad"
    says '^STAT SUCCESS 9 1000'
}

@test "200 requests at once are done 15 at a time, and each is answered once" {
    # Each notes how many are there; the mark is a directory, made and removed at once.
    executable datastore/restic/stat 'mkdir -p "$CALLS.d/$1"; ls "$CALLS.d" | wc -l >>"$CALLS"
        read -r -t 0.2 <>"$CALLS.fifo"; rmdir "$CALLS.d/$1"; echo "$1"'
    mkfifo "$CALLS.fifo"
    mad_start datastore/one_datastore '-t 15 -d restic'
    local line i
    line=$(datastore restic)
    for i in {1..200}; do echo "STAT  $i $line"; done >&"$to_mad"
    tell FINALIZE
    eventually is_gone "$mad"
    mad_ended
    [ "$(sort -u "$BATS_TEST_TMPDIR/said" | wc -l)" -eq 200 ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/said")" -eq 200 ]
    said '^STAT SUCCESS 200 200$'
    [ "$(sort -n "$CALLS" | tail -n 1)" -le 15 ]
    [ "$(sort -n "$CALLS" | tail -n 1)" -gt 1 ]
}

@test "restores that hold every place do not wait for the sizes that they ask for" {
    # Each is over when its STAT is.
    mkfifo "$CALLS.1" "$CALLS.2"
    executable datastore/restic/restore 'echo "restore waits $$" >>"$CALLS"; read -r <"$CALLS.$1"; echo "0 $1"'
    executable datastore/restic/stat 'echo done >"$CALLS.$(($1 - 2))"; echo 1'
    mad_start datastore/one_datastore '-t 2 -d restic'
    local i
    for i in 1 2 3 4; do
        tell "$([ "$i" -gt 2 ] && echo STAT || echo RESTORE)  $i $(datastore restic)"
    done
    for i in 1 2; do says "^RESTORE SUCCESS $i 0 $i\$"; done
    for i in 3 4; do says "^STAT SUCCESS $i 1\$"; done
}

@test "a datastore that does not answer keeps nothing from being done, and is kept from it by nothing" {
    waits_until_told datastore/restic/monitor
    waits_until_told datastore/rsync/rm
    executable datastore/rsync/monitor 'echo FREE_MB=1'
    executable datastore/restic/increment_flatten 'echo 1'
    mad_start datastore/one_datastore '-t 2 -d restic,rsync'
    tell "MONITOR  1 $(datastore restic)"
    tell "RM  2 $(datastore rsync)"
    tell "INCREMENT_FLATTEN  3 $(datastore restic)"
    says '^INCREMENT_FLATTEN SUCCESS 3 1$'
    tell "RM  4 $(datastore rsync)"
    eventually eval '[ "$(grep -c "^datastore/rsync/rm waits" "$CALLS")" -eq 2 ]'
    tell "MONITOR  5 $(datastore rsync)"
    says "^MONITOR SUCCESS 5 $(payload $'FREE_MB=1\n')\$"
    tell "MONITOR  6 $(datastore restic)"
    eventually eval '[ "$(grep -c "^datastore/restic/monitor waits" "$CALLS")" -eq 2 ]'
    executable datastore/restic/stat 'echo 4096'
    tell "STAT  7 $(datastore restic)"
    says '^STAT SUCCESS 7 4096$'
}

@test "DRIVER_CANCEL stops the executable with what it has started, and there is no answer" {
    waits_until_told datastore/restic/cp
    executable datastore/restic/rm 'echo 1'
    mad_start datastore/one_datastore '-t 1 -d restic'
    tell "CP  7 $(datastore restic)"
    tell "RM  7 $(datastore restic)"   # waits behind it, and goes as well
    tell "RM  8 $(datastore restic)"
    eventually waits datastore/restic/cp
    tell 'DRIVER_CANCEL  7 '
    says '^LOG I 7 Driver command for 7 cancelled$'
    says '^RM SUCCESS 8 1$'
    grep -q 'datastore/restic/cp stopped' "$CALLS"
    eventually is_gone "$(pid_of datastore/restic/cp child)"
    run -1 said 'SUCCESS 7\|FAILURE 7'
}

@test "an executable that takes longer than -w is stopped" {
    waits_until_told datastore/restic/cp
    mad_start datastore/one_datastore '-w 1 -d restic'
    tell "CP  7 $(datastore restic)"
    says '^CP FAILURE 7 Timeout executing .*/cp'
    told_to_stop datastore/restic/cp
}

@test "at the end of its stdin the driver ends, and what runs goes on" {
    executable datastore/restic/cp 'cat >/dev/null; echo "cp waits $$" >>"$CALLS"; read -r <"$CALLS.go"; echo done >"$CALLS.done"'
    mkfifo "$CALLS.go"
    mad_start datastore/one_datastore '-d restic'
    tell "CP  7 $(datastore restic)"
    eventually waits cp
    printf 'RM  7' >&"$to_mad"
    mad_ended
    echo >"$CALLS.go"
    eventually test -e "$CALLS.done"
}

@test "SIGTERM ends the driver" {
    mad_start datastore/one_datastore '-d restic'
    tell INIT
    says INIT
    kill -TERM "$mad"
    wait "$mad"
    mad=
}

@test "defaultrc is the environment, and var the working directory" {
    executable datastore/restic/stat 'echo "$FROM_RC $PWD $(nice)"'
    local nice=$(($(nice) + 3))
    printf '# comment\nFROM_RC="yes it is"\nPRIORITY=3\n' >"$ONE_LOCATION/etc/defaultrc"
    mad_start datastore/one_datastore '-d restic'
    tell "STAT  7 $(datastore restic)"
    says "^STAT SUCCESS 7 yes it is $ONE_LOCATION/var $((nice > 19 ? 19 : nice))\$"
}

@test "with ONE_MAD_DEBUG its stderr is a log, and never another file" {
    executable datastore/restic/stat 'readlink /proc/$PPID/fd/2'
    ONE_MAD_DEBUG=1 mad_start datastore/one_datastore '-d restic'
    tell "STAT  7 $(datastore restic)"
    says "^STAT SUCCESS 7 $ONE_LOCATION/var/one_datastore.log\$"
    mad_ended
    mad_start datastore/one_datastore '-d restic'
    tell "STAT  8 $(datastore restic)"
    says '^STAT SUCCESS 8 /dev/null$'
}

@test "an option that it does not know" {
    run -2 --separate-stderr "$BUILD/drivers/datastore/one_datastore" '-t 15 -x' </dev/null
    [ "$stderr" = 'one_datastore: unknown option -x' ]
}
