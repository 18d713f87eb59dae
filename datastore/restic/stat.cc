// SPDX-License-Identifier: Apache-2.0
// Says how large a disk of a backup will be once it is restored.

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "datastore/restic/lib/image.h"
#include "datastore/restic/lib/stored.h"

namespace {

constexpr Contract contract{.name = "datastore/restic/stat",
                            .summary = "tell the size of a disk in a backup",
                            .args = "REQUEST_ID",
                            .input = Input::base64_xml,
                            .reply = "One line: the size of the disk in MiB, as its VM had it.",
                            .description = "The disk is the one of the URL in C<IMAGE/PATH>."};

std::int64_t size_mb(const Xml& vm, int disk_id) {
  for (const auto& disk : vm.root().find_all("TEMPLATE/DISK"))
    if (parse_int(disk.find("DISK_ID").value_or("")) == disk_id) return disk.number_at("SIZE");
  throw Error{"the VM of the backup has no disk " + std::to_string(disk_id)};
}

std::string stat(const Request& request) {
  const restic::BackupImage image{request.xml()};
  const auto url = image.url();
  const restic::Restic restic{image.datastore(), restic::repository_id(image.datastore(), url),
                              Machine{}};
  const auto disk = url.disk_id();
  const auto snapshot = restic.find_all_of(Chain{{url.chain.last()}}).back();
  const auto [id, path] = restic::stored_file(snapshot, "vm.xml");
  const auto text = restic.dump(id, path);
  // Despite its name the file is base64 (contract 4.6).
  return std::to_string(size_mb(Xml{base64_decode(text)}, disk));
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, stat); }
