// SPDX-License-Identifier: Apache-2.0
// Says how large a disk of a backup will be once it is restored.

#include "common/one/action.h"
#include "datastore/lib/disk_size.h"
#include "datastore/restic/lib/requests.h"
#include "datastore/restic/lib/stored.h"

namespace {

constexpr Contract contract{.name = "datastore/restic/stat",
                            .summary = "tell the size of a disk in a backup",
                            .args = "REQUEST_ID",
                            .input = Input::base64_xml,
                            .reply = "One line: the size of the disk in MiB, as its VM had it.",
                            .description = "The disk is the one of the URL in C<IMAGE/PATH>."};

std::string stat(const Request& request) {
  const BackupImage image{request.xml()};
  const auto url = image.url();
  const restic::Restic restic{image.datastore(), restic::repository_id(image.datastore(), url),
                              Machine{}};
  const auto disk = url.disk_id();
  const auto snapshot = restic.find_all_of(url.chain).back().snapshot;
  const auto file = restic::stored_file(snapshot, "vm.xml");
  return std::to_string(disk_size_mb(restic.dump(file.snapshot, file.path), disk));
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, stat); }
