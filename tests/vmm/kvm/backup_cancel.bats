# SPDX-License-Identifier: Apache-2.0
# vmm/kvm/backup_cancel: finds what runs, and stops nothing else.

load helper

setup() { setup_drivers; }
teardown() { stop_everything; }

cancel() { action vmm/kvm/backup_cancel 12; }

@test "the datastore's driver is asked with two words and the VM" {
    run -0 --separate-stderr cancel < <(cancel_message)
    [ -z "$output" ]
    [ "$(cat "$CALLS")" = 'datastore/restic/backup_cancel kvm1:/var/lib/one//datastores/0/12 one-12' ]
    [ "$(stdin_of 1)" = '<VM><ID>12</ID><LCM_STATE>69</LCM_STATE></VM>' ]
}

@test "a running backup of this VM is stopped and undone" {
    driver_waits backup
    start_backup
    eventually waits backup
    run -0 --separate-stderr cancel < <(cancel_message)
    eventually is_gone "$backup"
    status=0; wait "$backup" || status=$?
    [ "$status" -eq 143 ]
    grep -qx 'backup stopped' "$CALLS"
    grep -q '^tm/qcow2/postbackup_live' "$CALLS"
}

@test "the backup of a VM whose number only begins alike goes on" {
    driver_waits backup
    start_backup
    eventually waits backup
    run -0 --separate-stderr action vmm/kvm/backup_cancel 1 \
        < <(cancel_message vm=1 'words=kvm1:/var/lib/one//datastores/0/1 one-1')
    kill -0 "$backup"
    run ! grep -q stopped "$CALLS"
}

@test "a driver that cannot cancel is a failure, in its own words" {
    driver_does backup_cancel 'echo "cannot reach kvm1" >&2; exit 1'
    run -1 --separate-stderr cancel < <(cancel_message)
    [ "$(plain_lines <<<"$stderr")" = 'cannot reach kvm1' ]
}

@test "a driver that is not there is named" {
    run -1 --separate-stderr cancel < <(cancel_message ds=borg)
    [ "$stderr" = "Datastore Driver 'borg' not available" ]
}

@test "what cannot be understood is refused with one line" {
    for bad in verb=BACKUP 'words=kvm1:/d' 'words=kvm1:/d one-12 more' 'words=kvm1 one-12' vm=13 ds=../x tm=../x; do
        run -2 --separate-stderr cancel < <(cancel_message "$bad")
        [ ${#stderr_lines[@]} -eq 1 ]
    done
    [ ! -e "$CALLS" ]
}
