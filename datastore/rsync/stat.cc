// SPDX-License-Identifier: Apache-2.0
// Says how large a disk of a backup will be once it is restored.

#include "common/one/action.h"
#include "datastore/lib/backup_image.h"
#include "datastore/lib/disk_size.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{.name = "datastore/rsync/stat",
                            .summary = "tell the size of a disk in a backup",
                            .args = "REQUEST_ID",
                            .input = Input::base64_xml,
                            .reply = "One line: the size of the disk in MiB, as its VM had it.",
                            .description = "The disk is the one of the URL in C<IMAGE/PATH>."};

std::string stat(const Request& request) {
  const BackupImage image{request.xml()};
  const auto url = image.url();
  const auto disk = url.disk_id();
  const rsync::Settings settings{image.datastore()};
  std::int64_t size = 0;
  rsync::with_store(settings, [&](rsync::Store& store) {
    const auto text =
        store.read(rsync::vm_of(url, settings), rsync::name_of(url.chain.last()), "vm.xml");
    size = disk_size_mb(text, disk);
  });
  return std::to_string(size);
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, stat); }
