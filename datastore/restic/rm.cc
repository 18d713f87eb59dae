// SPDX-License-Identifier: Apache-2.0
// Removes a backup: all snapshots of its chain, and the data that only they used.

#include <algorithm>

#include "common/error.h"
#include "common/one/action.h"
#include "datastore/restic/lib/image.h"
#include "datastore/restic/lib/prune.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/rm",
    .summary = "remove a backup from its restic repository",
    .args = "IMAGE_ID",
    .input = Input::base64_xml,
    .reply = "Nothing.",
    .description =
        "Snapshots that do not exist any more are no error, nor is a repository that does not "
        "exist below a BASE_PATH of this machine that does.  While others use the repository it "
        "waits, for at most RESTIC_LOCK_WAIT seconds (300)."};

std::string rm(const Request& request) {
  const restic::BackupImage image{request.xml()};
  if (!image.has_chain()) return "";  // nothing of it was ever stored
  const auto prune = restic::prune_options(image.datastore());
  const auto restic = image.open();
  if (restic.repository().was_never_made()) return "";
  std::vector<std::string> ids;
  for (const auto& increment : image.chain().increments()) ids.push_back(increment.source);
  std::vector<std::string> found;
  for (const auto& snapshot : restic.find(ids)) found.push_back(restic::short_id(snapshot.id));
  // A call before this one may have been killed when it had forgotten them and not yet pruned.
  if (found.empty())
    restic.prune(prune);
  else
    restic.forget(found, prune);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, rm); }
