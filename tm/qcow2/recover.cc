// SPDX-License-Identifier: Apache-2.0
// Puts right what a dead backup of a VM left on its host.

#include "tm/lib/step.h"

namespace {

constexpr Contract contract{
    .name = "tm/qcow2/recover",
    .summary = "put right what a dead backup of a VM left on its host",
    .args = "HOST:DIR DISKS DEPLOY_ID JOB_ID VM_ID DS_ID [OPTION]",
    .input = Input::xml,
    .reply = "Nothing.",
    .description =
        "Stdin is the VM, as for F<prebackup>.  Nothing calls this by itself: the next "
        "F<prebackup> does the same.  OPTION goes to F<tm/host/backup_host>.",
};

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, recover); }
