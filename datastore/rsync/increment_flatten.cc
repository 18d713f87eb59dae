// SPDX-License-Identifier: Apache-2.0
// Merges the oldest increments of a backup into one.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/running.h"
#include "datastore/lib/backup_image.h"
#include "datastore/lib/request_options.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/increment_flatten",
    .summary = "merge the oldest increments of a backup into one",
    .args = "IMAGE_ID",
    .input = Input::base64_xml,
    .reply =
        "Nothing if the image has no more than KEEP_LAST increments.  Else one line C<MIB CHAIN>: "
        "the size of the merged increment's disk files, rounded up to MiB (at least 1), and the "
        "last KEEP_LAST increments as C<ID:NAME>, joined by commas.  The first of them is the "
        "merged one, under the name that it had.",
    .description =
        "KEEP_LAST is C<EXTRA_DATA/KEEP_LAST> of the request.  The disks are merged on the server, "
        "into new files; where only SFTP is allowed, they come here and go back.  The documents of "
        "the merged backup are those of its newest increment.\n\n"
        "The merged directory takes the place of the newest merged one by a rename when it is "
        "durable, and only then are the older ones removed.  Readers of a merged increment are "
        "never disturbed.  A call that was cut off, at any moment, is repeated with the same "
        "request.\n\n"
        "C<EXTRA_DATA/SUMS> may name a directory with the checksums of the captures "
        "(F<sums.E<lt>diskE<gt>.E<lt>incrementE<gt>>).  They count more than those on the server: "
        "what differs from them is an error, and not merged; and so are checksums on the server "
        "that cannot be those of their file.  Where all of a disk's are there, those of its merged "
        "file lie beside that on the server."};

std::string increment_flatten(const Request& request) {
  const BackupImage image{request.xml()};
  const int keep = keep_last(request);
  if (!image.has_chain()) return "";
  const auto& chain = image.chain();
  if (chain.increments().size() <= static_cast<std::size_t>(keep)) return "";
  const Running running{image.vm_id(), "flatten"};
  const auto known = texts_in(sums_directory(request));
  std::string reply;
  rsync::with_store(rsync::Settings{image.datastore()}, [&](rsync::Store& store) {
    reply = store.flatten(image.vm_id(), chain, keep, known);
  });
  return reply;
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, increment_flatten); }
