// SPDX-License-Identifier: Apache-2.0
// Removes what a backup has stored, and nobody was told of.

#include "common/one/action.h"
#include "common/one/running.h"
#include "datastore/restic/lib/requests.h"
#include "datastore/restic/lib/unclaimed.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/discard",
    .summary = "remove what an interrupted backup of a VM has stored",
    .args = "HOST:DIR RUN JOB_ID VM_ID",
    .input = Input::xml,
    .reply = "Nothing.",
    .description =
        "RUN is the value of VMVAULT_RUN in the environment of that F<datastore/restic/backup>, "
        "JOB_ID and stdin are as its own.  It is a success if there is nothing to remove.  For "
        "F<vmm/kvm/backup>, which calls this when an earlier orchestrator of the VM has died "
        "before it could tell what was stored.\n\n"
        "What cannot be removed now is removed by the next backup of the VM into this repository."};

std::string discard(const Request& request) {
  const auto tag = restic::run_tag(request["RUN"]);
  const auto asked = VmRequest::parse(request);
  const Running running{asked.vm_id, "backup"};
  const auto repository = restic::repository_of(asked);
  if (repository.was_never_made()) return "";
  // First: whoever asks does not ask twice, and the repository may be out of reach.
  restic::Leftovers leftovers{repository, asked.vm_id};
  leftovers.add(tag);
  leftovers.discard(restic::open(asked), tag, restic::Care::cancellable);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, discard); }
