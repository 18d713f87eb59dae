// SPDX-License-Identifier: Apache-2.0
// Removes what a backup has stored, and nobody was told of.

#include "common/one/action.h"
#include "common/one/running.h"
#include "datastore/lib/vm_request.h"
#include "datastore/rsync/lib/notes.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/discard",
    .summary = "remove what an interrupted backup of a VM has stored",
    .args = "HOST:DIR RUN JOB_ID VM_ID",
    .input = Input::xml,
    .reply = "Nothing.",
    .description =
        "RUN is the value of VMVAULT_RUN in the environment of that F<datastore/rsync/backup>, "
        "JOB_ID and stdin are as its own.  It is a success if there is nothing to remove.  For "
        "F<vmm/kvm/backup>, which calls this when an earlier orchestrator of the VM has died "
        "before it could tell what was stored.\n\n"
        "The name that it had on the server is in F<rsync-run.E<lt>datastoreE<gt>.E<lt>vmE<gt>> in "
        "the state directory.  What cannot be removed now is removed by the next backup of the VM "
        "into this datastore."};

std::string discard(const Request& request) {
  const auto& run = request["RUN"];
  rsync::check_run(run);
  const auto asked = VmRequest::parse(request);
  const rsync::Settings settings{asked.datastore};
  const Running running{asked.vm_id, "backup"};
  rsync::Notes notes{settings.datastore_id, asked.vm_id};
  const auto names = notes.disown(run);
  if (names.empty()) return "";
  rsync::with_store(settings, [&](rsync::Store& store) { store.remove(asked.vm_id, names); });
  for (const auto& name : names) notes.drop(name);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, discard); }
