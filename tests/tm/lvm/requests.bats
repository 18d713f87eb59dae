# SPDX-License-Identifier: Apache-2.0
# What is asked for is looked at before LVM is.

load ../../helper.bash

setup() {
    export VMVAULT_VAR=$BATS_TEST_TMPDIR/var LIBVIRT_URI=test:///default
    VM_DIR=$BATS_TEST_TMPDIR/vm
    mkdir "$VM_DIR"
}

# prebackup IMAGE_ID: of a VM that is off, whose disk is this persistent image
prebackup() {
    "$BUILD/tm/lvm/prebackup" "localhost:$VM_DIR" 0 '' - 5 0 <<XML
<VM><ID>5</ID><DEPLOY_ID></DEPLOY_ID><LCM_STATE>69</LCM_STATE><TEMPLATE><DISK><DISK_ID>0</DISK_ID>
<TYPE>BLOCK</TYPE><TM_MAD>lvm</TM_MAD><DATASTORE_ID>1</DATASTORE_ID><IMAGE_ID>$1</IMAGE_ID>
<PERSISTENT>YES</PERSISTENT><TARGET>vda</TARGET><SIZE>64</SIZE></DISK></TEMPLATE>
<BACKUPS><BACKUP_CONFIG><MODE>FULL</MODE></BACKUP_CONFIG></BACKUPS></VM>
XML
}

# restore_host LVM POOL VERB
restore_host() {
    base64 -w0 <<XML | "$BUILD/tm/host/restore_host" "$3"
<RESTORE_HOST><VM_ID>5</VM_ID><VM_DIR>$VM_DIR</VM_DIR><TPM>NO</TPM><DISK><ID>0</ID><LVM>$1</LVM>
<LVM_POOL>$2</LVM_POOL><LAYOUT>PLAIN</LAYOUT><SOURCE></SOURCE><RAW>YES</RAW><SIZE>0</SIZE></DISK></RESTORE_HOST>
XML
}

@test "names that LVM does not have are refused" {
    local name
    for name in ../../vda '7 -f' '7;reboot' '$(reboot)' 7@x 7/8; do
        run prebackup "$name"
        [ "$status" -ne 0 ]
        [[ $output == *"no name of a logical volume: 'vg-one-1/img-one-$name'"* ]]
        run restore_host "vg-one-1/img-one-$name" '' begin
        [ "$status" -eq 2 ]
        run restore_host vg-one-1/img-one-7 "$name" begin
        [ "$status" -eq 2 ]
        [[ $output == *"no name of a logical volume: 'vg-one-1/$name'"* ]]
    done
    [ ! -e "$VM_DIR/restore.journal" ]
}

@test "a journal that names volumes of others is not carried out" {
    local place
    for place in '"volume":"vg/lv","pool":"","active":false,"had":true,"tag":"../../x1"' \
        '"volume":"vg/-f","pool":"","active":false,"had":true,"tag":"0badcafe"' \
        '"volume":"vg/lv","pool":"a b","active":false,"had":true,"tag":"0badcafe"' \
        '"volume":"vg/lv","pool":7,"active":false,"had":true,"tag":"0badcafe"'; do
        echo '{"version":1,"vm":5,"phase":"swapping","places":[{'"$place"'}]}' >"$VM_DIR/restore.journal"
        run restore_host vg-one-1/img-one-7 '' end
        [ "$status" -ne 0 ]
        [[ $output == *'no name of a logical volume'* || $output == *'foreign volume'* || $output == *damaged* ]]
    done
}
