// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/view.h"

#include "common/one/config.h"
#include "common/one/sums_file.h"

namespace host {

View::View(const std::filesystem::path& at, ViewFiles files)
    : files_{std::move(files)}, view_{at, content()} {}

::View::Content View::content() const {
  ::View::Content content;
  content.failure_document = failure_document;
  for (const auto& [name, reader] : files_.disks) {
    const auto disk = reader.get();
    const auto read = [disk](std::uint64_t offset, std::span<std::byte> out) {
      return disk->read(offset, out);
    };
    const auto read_sums = [disk](std::uint64_t offset, std::span<std::byte> out) {
      return disk->read_sums(offset, out);
    };
    content.files.push_back({.name = name, .size = disk->plan().file_size(), .read = read});
    content.files.push_back(
        {.name = sums_file(name), .size = disk->sums_size(), .read = read_sums});
  }
  for (const auto& [name, text] : files_.documents)
    content.files.push_back(::View::File::document(name, text));
  content.on_failure = [this](const std::string& why) {
    for (const auto& [name, disk] : files_.disks) disk->fail(why);
  };
  return content;
}

std::vector<std::pair<std::string, std::string>> View::sums() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, disk] : files_.disks)
    if (auto sums = disk->sums()) out.emplace_back(sums_file(name), *std::move(sums));
  return out;
}

}  // namespace host
