// SPDX-License-Identifier: Apache-2.0
// Cancels the backup of a VM (contract 1.8).

#include "common/one/action.h"
#include "vmm/lib/backup.h"

namespace {

constexpr Contract contract{
    .name = "vmm/kvm/backup_cancel",
    .summary = "cancel the backup of a virtual machine",
    .args = "VM_ID",
    .input = Input::base64_xml,
    .reply = "nothing.",
    .description =
        R"(Stdin is the VMM_DRIVER_ACTION_DATA of a BACKUPCANCEL message.  A running
F<vmm/kvm/backup> of this VM gets a SIGTERM, and F<datastore/DS_MAD/backup_cancel> is run for
backups that somebody else orchestrates.  The backup itself ends with an error, after its
undo; this program does not wait for that.  If no backup runs, that is no failure.)",
};

std::string cancel(const Request& request) {
  const XmlNode message = request.xml().root();
  vmm::cancel_backup(vmm::Job::cancel(message, request.number("VM_ID")), message);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, cancel); }
