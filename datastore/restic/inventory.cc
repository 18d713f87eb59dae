// SPDX-License-Identifier: Apache-2.0
// Lists what a repository has of a VM.

#include "common/one/action.h"
#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/known_as.h"
#include "datastore/restic/lib/requests.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/inventory",
    .summary = "list the snapshots in a VM's restic repository",
    .args = "VM_ID",
    .input = Input::base64_xml,
    .reply =
        "The id of each snapshot, whoever made it, one per line; behind it, if it was merged "
        "from others, their ids.  Where C<restic tag> or C<restic copy> gave it another id, the "
        "first that it had, and that one behind it.",
    .description = "Stdin is as for F<rm>; only the VM of the image, and its job, matter."};

std::string inventory(const Request& request) {
  const BackupImage image{request.xml()};
  const auto restic = restic::open(image);
  if (!restic.exists()) return "";
  std::string names;
  for (const auto& snapshot : restic.find({})) {
    names += (names.empty() ? "" : "\n") + restic::first_id(snapshot);
    if (restic::first_id(snapshot) != snapshot.id) names += " " + snapshot.id;
    for (const auto& id : restic::stands_for(snapshot)) names += " " + id;
    for (const auto& id : restic::ancestors_of(snapshot)) names += " " + id;
  }
  return names;
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, inventory); }
