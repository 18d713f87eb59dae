// SPDX-License-Identifier: Apache-2.0
// Merges the oldest increments of a backup into one.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/one/running.h"
#include "datastore/lib/request_options.h"
#include "datastore/restic/lib/flatten.h"
#include "datastore/restic/lib/prune.h"
#include "datastore/restic/lib/requests.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/increment_flatten",
    .summary = "merge the oldest increments of a backup into one",
    .args = "IMAGE_ID",
    .input = Input::base64_xml,
    .reply =
        "Nothing if the image has no more than KEEP_LAST increments.  Else one line C<MIB CHAIN>: "
        "the size of the merged increment's disk files, rounded up to MiB (at least 1), and the "
        "last KEEP_LAST increments as C<ID:SNAPSHOT>, joined by commas.  The first of them is the "
        "merged one.",
    .description =
        "KEEP_LAST is C<EXTRA_DATA/KEEP_LAST> of the request.  Increments that vmvault wrote are "
        "merged while they are read, without a copy; others in RESTIC_TMP_DIR, where there must "
        "be room for their files.  The documents of the merged snapshot are those of its newest "
        "increment.\n\n"
        "The old snapshots are forgotten when the new one is stored and was found whole.  Until "
        "then a cancellation or an error leaves the chain as it was.  A call that was cut off, at "
        "any moment, is repeated with the same request.\n\n"
        "restic reads the merged disks in a mount namespace of its own, where they lie in the "
        "directory in which they were backed up, whatever is there for others.  Without the right "
        "to make one, or without F</dev/fuse>, the merged disks are written to RESTIC_TMP_DIR "
        "first.\n\n"
        "C<EXTRA_DATA/SUMS> may name a directory with the checksums of the captures "
        "(F<sums.E<lt>diskE<gt>.E<lt>incrementE<gt>>): what differs from them is an error, and not "
        "merged.  Where all of a disk's are there, those of its merged file are left below that "
        "directory, in one with the name of the merged snapshot."};

std::string increment_flatten(const Request& request) {
  const BackupImage image{request.xml()};
  const int keep = keep_last(request);
  if (!image.has_chain()) return "";
  const auto& chain = image.chain();
  if (chain.increments().size() <= static_cast<std::size_t>(keep)) return "";
  const restic::PrunePolicy policy{image.datastore()};
  const auto restic = restic::open(image);
  const Running running{image.vm_id(), "flatten"};
  return restic::flatten(
      restic,
      {.vm_id = image.vm_id(),
       .chain = chain,
       .keep = keep,
       .scratch = normal_path(image.datastore().attribute("RESTIC_TMP_DIR", "/var/tmp")),
       .sums = sums_directory(request)},
      policy);
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, increment_flatten); }
