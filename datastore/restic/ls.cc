// SPDX-License-Identifier: Apache-2.0
// Lists the disks of a backup, each with the URL by which the downloader gets it.

#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "datastore/restic/lib/image.h"
#include "datastore/restic/lib/listing.h"

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

int increment(const Request& request) {
  const auto& option = request["OPTION"];
  if (option.empty()) return -1;
  constexpr std::string_view joined = "--increment=";
  const bool split = option == "-i" || option == "--increment";
  if (!split && !option.starts_with(joined))
    throw BadRequest{"expected -i INCREMENT_ID, not '" + one_line(option) + "'"};
  const auto id = parse_int(split ? request["INCREMENT_ID"] : option.substr(joined.size()), -1);
  if (!id) throw BadRequest{"the argument INCREMENT_ID is not a number"};
  return *id;
}

std::string ls(const Request& request) {
  const restic::BackupImage image{request.xml()};
  const auto chain = image.chain().up_to(increment(request));
  const auto restic = image.open();
  const auto snapshot = restic.find_all_of(chain).back();
  return restic::listing(snapshot.paths,
                         {.protocol = image.format() == "rbd" ? "restic+rbd" : "restic",
                          .datastore_id = image.datastore().id(),
                          .job_id = image.job_id(),
                          .chain = chain,
                          .path = {}});
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, ls); }
