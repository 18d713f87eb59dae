// SPDX-License-Identifier: Apache-2.0
// Lists the disks of a backup, each with the URL by which the downloader gets it.

#include "common/error.h"
#include "common/one/action.h"
#include "datastore/lib/backup_image.h"
#include "datastore/lib/listing.h"
#include "datastore/lib/request_options.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/ls",
    .summary = "list the disks of a backup with their URLs",
    .args = "[OPTION] [INCREMENT_ID]",
    .input = Input::xml,
    .reply =
        "One line of JSON: an object with a URL by disk id, and by C<tpm> for the state of a TPM.",
    .description =
        "C<-i> or C<--increment> ends the chain at that increment; without it, or with -1, the "
        "whole chain is taken.  The files are those of the chain's last backup.  All backups of "
        "the chain must be there."};

std::string ls(const Request& request) {
  const BackupImage image{request.xml()};
  const auto chain = image.chain().up_to(increment_option(request));
  const rsync::Settings settings{image.datastore()};
  std::vector<std::string> paths;
  const auto directory = settings.base / std::to_string(image.vm_id()) / chain.last().source;
  rsync::with_store(settings, [&](rsync::Store& store) {
    const auto found = store.find(image.vm_id(), chain);
    for (const auto& [file, size] : found.files.at(chain.last().source))
      paths.push_back(directory / file);
  });
  return listing(paths, {.protocol = image.format() == "rbd" ? "rsync+rbd" : "rsync",
                         .datastore_id = settings.datastore_id,
                         .job_id = image.job_id(),
                         .chain = chain,
                         .path = {}});
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, ls); }
