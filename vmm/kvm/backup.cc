// SPDX-License-Identifier: Apache-2.0
// Backs up one VM: the three steps of contract 1.4 in their order, and the undo of 1.7.

#include "vmm/lib/backup.h"

#include <unistd.h>

#include "common/file.h"
#include "common/one/action.h"

namespace {

constexpr Contract contract{
    .name = "vmm/kvm/backup",
    .summary = "back up a virtual machine into a datastore",
    .args = "VM_ID",
    .input = Input::base64_xml,
    .reply =
        "C<< <id> <MiB> <format> >>: the datastore's name for the backup, its size, and the "
        "format of the disks.",
    .description =
        R"(Stdin is the VMM_DRIVER_ACTION_DATA of a BACKUP message.  Three executables of the same
tree are run: F<tm/TM_MAD/prebackup> (or F<prebackup_live> when the VM runs),
F<datastore/DS_MAD/backup> and F<tm/TM_MAD/postbackup>.  When one of the first two fails,
F<postbackup> is told so (C<BACKUP_RESULT> is C<FAILURE> in its VM) and undoes.

SIGTERM cancels: the step that runs is stopped, and undone.  An upload that does not end
within a second is undone while it still ends, since it may wait for a file of the backup
directory; one that was stored all the same in that second counts.  Each step has a deadline, in
seconds, that a setting changes (0: none): C<STEP_DEADLINE_PREBACKUP> (86400),
C<STEP_DEADLINE_BACKUP> (172800), C<STEP_DEADLINE_POSTBACKUP> (1800).

While a backup runs, F<vmm/VM_ID.json> in the state directory says what it does; no second
one of the VM can be started.  If it is killed, its step is asked to end, and
F<vmm/kvm/recover> undoes what was left, or the next backup of the VM.  What it had stored then, with
nobody told, is removed by F<datastore/DS_MAD/discard>, which gets the name under which the upload ran (C<VMVAULT_RUN>
in its environment); where there is no such program it is named in the log.  A backup whose reply
cannot be written is removed in the same way.)",
};

std::string backup(const Request& request) {
  const XmlNode message = request.xml().root();
  vmm::run_backup(vmm::Job::backup(message, request.number("VM_ID")), message, write_reply);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, backup); }
