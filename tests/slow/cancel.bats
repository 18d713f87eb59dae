# SPDX-License-Identifier: Apache-2.0
# More of tests/vmm/kvm/cancel.bats: the same moments of copies, and over ssh.

load ../vmm/kvm/real.bash
load ../vmm/kvm/cancel.bash

setup_file() { real_start; }
teardown_file() { real_stop; }

@test "moments of a copy, here" { VMVAULT_EXPORT=copy moments; }

@test "moments of a view, over ssh" { HOST=kvm1 STORE=SFTP moments; }

@test "moments of a copy, over ssh" { HOST=kvm1 STORE=SFTP VMVAULT_EXPORT=copy moments; }
