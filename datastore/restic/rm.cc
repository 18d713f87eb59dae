// SPDX-License-Identifier: Apache-2.0
// Removes a backup: all snapshots of its chain, and the data that only they used.

#include "common/error.h"
#include "common/one/action.h"
#include "datastore/restic/lib/prune.h"
#include "datastore/restic/lib/requests.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/rm",
    .summary = "remove a backup from its restic repository",
    .args = "IMAGE_ID",
    .input = Input::base64_xml,
    .reply = "Nothing.",
    .description =
        "Snapshots that do not exist any more are no error, nor is a repository that does not "
        "exist below a BASE_PATH of this machine that does.  What C<restic tag> or C<restic copy> "
        "gave another id goes, too, with all copies in this repository.  While others use the "
        "repository it "
        "waits, for at most RESTIC_LOCK_WAIT seconds (300).\n\n"
        "It succeeds when the snapshots are gone.  Their data is removed when RESTIC_PRUNE says: "
        "C<now> at once, C<window> at once in that part of the day, else by the F<monitor> of that "
        "time, C<never> only by F<datastore/restic/prune>.  What cannot be removed then is logged "
        "and goes with the next prune."};

std::string rm(const Request& request) {
  const BackupImage image{request.xml()};
  if (!image.has_chain()) return "";  // nothing of it was ever stored
  const restic::PrunePolicy policy{image.datastore()};
  const auto restic = restic::open(image);
  if (restic.repository().was_never_made()) return "";
  restic::remove_chain(restic, image.chain(), policy);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, rm); }
