// SPDX-License-Identifier: Apache-2.0
// Finds out whether a backup is what was backed up.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "datastore/lib/verification.h"
#include "datastore/restic/lib/requests.h"
#include "datastore/restic/lib/snapshots.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/verify",
    .summary = "check that a backup is what was backed up",
    .args = "DEPTH INCREMENT_ID [DIRECTORY]",
    .input = Input::base64_xml,
    .reply =
        "One JSON document: C<repository>, what restic's own check of it found wrong, and "
        "C<increments>, each with its C<id>, its C<snapshot>, a C<problem> and its C<disks>: "
        "C<id>, "
        "C<file>, C<size>, C<sums> (whether there are checksums of its capture), C<proven> (it was "
        "read, and agrees with them), C<problem>, and where that begins in the file (C<offset>) "
        "and "
        "on the guest's disk (C<guest_offset>).  An empty C<problem> is none.",
    .description =
        "A damaged backup is no failure of this action: what is wrong stands in the reply.\n\n"
        "DEPTH is C<structure>: that the metadata of the repository are whole, and all snapshots "
        "and "
        "files are there, with the sizes that they should have; or C<data>: that, and every file "
        "is "
        "read, the disks are merged as for a restore, and each file is compared with the checksums "
        "that were taken when it was captured.  INCREMENT_ID ends the chain at that increment; -1 "
        "is "
        "the last.\n\n"
        "DIRECTORY may hold F<sums.E<lt>diskE<gt>.E<lt>incrementE<gt>> and "
        "F<vmvault.json.E<lt>incrementE<gt>> as the capture gave them.  They count more than "
        "those in the repository, which need not be there.\n\n"
        "What other drivers stored, and what was merged of it, has no checksums: its data are only "
        "read.  Increments that a flatten has merged, of which an older copy of the core's state "
        "knows nothing, are not in the reply; the one that they were merged into is the first.  "
        "Where INCREMENT_ID itself is one of them, that is an error."};

// What a flatten has merged is not what was captured for that increment.
void forget(Texts& texts, int increment) {
  std::erase_if(texts, [end = "." + std::to_string(increment)](const auto& text) {
    return text.first.ends_with(end);
  });
}

std::string verify(const Request& request) {
  const auto& depth = request["DEPTH"];
  if (depth != "structure" && depth != "data")
    throw BadRequest{"the argument DEPTH is neither structure nor data: '" + one_line(depth) + "'"};
  const BackupImage image{request.xml()};
  const auto chain = image.chain().up_to(static_cast<int>(request.number("INCREMENT_ID")));
  const auto& known = request["DIRECTORY"];
  const auto restic = restic::open(image);
  restic.insist();
  const auto [stored, found] = restic.as_stored(chain);
  auto texts = texts_in(known.empty() ? "" : normal_path(known));
  if (const auto& first = stored.increments().front(); stored.text() != chain.text())
    forget(texts, first.id);
  restic::Snapshots snapshots{restic, stored, found};
  Verification verification{snapshots, stored, std::move(texts)};
  verification.check_structure();
  if (depth == "data") verification.read_data();
  return verification.report().to_json();
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, verify); }
