// SPDX-License-Identifier: Apache-2.0
// Removes a backup: the directories of its chain.

#include "common/one/action.h"
#include "datastore/lib/backup_image.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/rm",
    .summary = "remove a backup from its server",
    .args = "IMAGE_ID",
    .input = Input::base64_xml,
    .reply = "Nothing.",
    .description =
        "Directories that do not exist any more are no error.  What dead uploads and flattens of "
        "the VM have left goes, too."};

std::string rm(const Request& request) {
  const BackupImage image{request.xml()};
  if (!image.has_chain()) return "";  // nothing of it was ever stored
  std::vector<std::string> names;
  for (const auto& increment : image.chain().increments())
    if (rsync::is_backup_name(increment.source)) names.push_back(increment.source);
  rsync::with_store(rsync::Settings{image.datastore()},
                    [&](rsync::Store& store) { store.remove(image.vm_id(), names); });
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, rm); }
