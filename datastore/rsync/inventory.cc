// SPDX-License-Identifier: Apache-2.0
// Lists what a server has of a VM.

#include "common/one/action.h"
#include "datastore/lib/backup_image.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/inventory",
    .summary = "list the backups of a VM on its server",
    .args = "VM_ID",
    .input = Input::base64_xml,
    .reply = "The name of each backup that is whole, whoever made it, one per line.",
    .description = "Stdin is as for F<rm>; only the VM of the image matters."};

std::string inventory(const Request& request) {
  const BackupImage image{request.xml()};
  std::string names;
  rsync::with_store(rsync::Settings{image.datastore()}, [&](rsync::Store& store) {
    for (const auto& [name, files] : store.list(image.vm_id(), {}))
      names += (names.empty() ? "" : "\n") + name;
  });
  return names;
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, inventory); }
