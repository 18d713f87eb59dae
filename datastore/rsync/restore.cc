// SPDX-License-Identifier: Apache-2.0
// Makes images and the template of a VM from a backup.

#include "datastore/lib/restore.h"

#include <map>
#include <memory>

#include "common/error.h"
#include "datastore/lib/backup_image.h"
#include "datastore/rsync/lib/store.h"

namespace fs = std::filesystem;

namespace {

constexpr Contract contract{.name = "datastore/rsync/restore",
                            .summary = "make images and a VM template from a backup",
                            .args = "REQUEST_ID",
                            .input = Input::base64_xml,
                            .reply =
                                "One line: the id of the VM template, or -1, and those of the "
                                "images.",
                            .description = restored::description};

restored::Increment last_of(const Xml& request, const Chain& chain) {
  const BackupImage image{request};
  const rsync::Settings settings{image.datastore()};
  const int vm = image.vm_id();
  const auto name = chain.last().source;
  const auto directory = settings.base / std::to_string(vm) / name;
  restored::Increment last{
      .protocol = "rsync", .files = {}, .read = [settings, vm, name](const fs::path& file) {
        std::string text;
        rsync::with_store(
            settings, [&](rsync::Store& store) { text = store.read(vm, name, file.filename()); });
        return text;
      }};
  rsync::with_store(settings, [&](rsync::Store& store) {
    const auto found = store.find(vm, chain);
    for (const auto& [file, size] : found.files.at(name)) last.files.push_back(directory / file);
  });
  return last;
}

}  // namespace

int main(int argc, char** argv) {
  return run_action(contract, argc, argv,
                    [](const Request& request) { return restored::restore(request, last_of); });
}
