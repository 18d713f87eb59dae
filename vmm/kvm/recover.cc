// SPDX-License-Identifier: Apache-2.0
// Undoes what a backup of a VM left whose orchestrator was killed (contract 1.7).

#include "common/one/action.h"
#include "vmm/lib/backup.h"

namespace {

constexpr Contract contract{
    .name = "vmm/kvm/recover",
    .summary = "undo what a killed backup of a virtual machine has left",
    .args = "VM_ID",
    .input = Input::base64_xml,
    .reply = "nothing.",
    .description =
        R"(Stdin is the VMM_DRIVER_ACTION_DATA of a BACKUP message.  After an F<vmm/kvm/backup>
that was killed: its step is asked to end, F<postbackup> is told of the failure, and what was
stored with nobody told is removed.  The next backup of the VM would do the same first; until then
the disks would stay open.  F<vmvault> and F<drivers/vmm/one_vmm_exec> run it when their
F<vmm/kvm/backup> dies.  If nothing was left, that is no failure; it is one if a backup of the VM
runs.)",
};

std::string recover(const Request& request) {
  const XmlNode message = request.xml().root();
  vmm::recover(vmm::Job::backup(message, request.number("VM_ID")), message);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, recover); }
