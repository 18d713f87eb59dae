// SPDX-License-Identifier: Apache-2.0
// Lists the disks of a backup, each with the URL by which the downloader gets it.

#include "common/one/action.h"
#include "datastore/lib/listing.h"
#include "datastore/lib/request_options.h"
#include "datastore/restic/lib/requests.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/ls",
    .summary = "list the disks of a backup with their URLs",
    .args = "[OPTION] [INCREMENT_ID]",
    .input = Input::xml,
    .reply =
        "One line of JSON: an object with a URL by disk id, and by C<tpm> for the state of a TPM.",
    .description =
        "C<-i> or C<--increment> ends the chain at that increment; without it, or with -1, the "
        "whole "
        "chain is taken.  The files are those of the chain's last snapshot."};

std::string ls(const Request& request) {
  const BackupImage image{request.xml()};
  const auto chain = image.chain().up_to(increment_option(request));
  const auto restic = restic::open(image);
  const auto snapshot = restic.find_all_of(chain).back().snapshot;
  return listing(snapshot.paths, {.protocol = image.format() == "rbd" ? "restic+rbd" : "restic",
                                  .datastore_id = image.datastore().id(),
                                  .job_id = image.job_id(),
                                  .chain = chain,
                                  .path = {}});
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, ls); }
