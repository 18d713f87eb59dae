// SPDX-License-Identifier: Apache-2.0
// Makes images and the template of a VM from a backup.

#include "datastore/lib/restore.h"

#include <memory>

#include "datastore/restic/lib/requests.h"

namespace {

constexpr Contract contract{.name = "datastore/restic/restore",
                            .summary = "make images and a VM template from a backup",
                            .args = "REQUEST_ID",
                            .input = Input::base64_xml,
                            .reply =
                                "One line: the id of the VM template, or -1, and those of the "
                                "images.",
                            .description = restored::description};

restored::Increment last_of(const Xml& request, const Chain& chain) {
  const BackupImage image{request};
  const auto restic = std::make_shared<restic::Restic>(restic::open(image));
  const auto snapshot = restic->find_all_of(chain).back().snapshot;
  return {.protocol = "restic",
          .files = {snapshot.paths.begin(), snapshot.paths.end()},
          .read = [restic, id = snapshot.id](const std::filesystem::path& file) {
            return restic->dump(id, file);
          }};
}

}  // namespace

int main(int argc, char** argv) {
  return run_action(contract, argc, argv,
                    [](const Request& request) { return restored::restore(request, last_of); });
}
