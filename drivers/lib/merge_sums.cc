// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/merge_sums.h"

#include "common/error.h"
#include "common/file.h"
#include "common/one/sums_file.h"

namespace fs = std::filesystem;

namespace state {

MergeSums::MergeSums(const Home& home, int image)
    : image_{image}, directory_{home.var() / ("merge." + std::to_string(image))} {}

void MergeSums::give(const Store& store) const {
  fs::create_directories(directory_);
  fs::permissions(directory_, fs::perms::owner_all);
  const auto image = store.image(image_);
  if (!image) return;
  for (const auto& one : image->increments)
    for (const auto& [file, sums] : store.sums(image_, one.id)) write_file(directory_ / file, sums);
}

std::vector<SumsRecord> MergeSums::take(const BackupRecord& merged) const {
  std::vector<SumsRecord> all;
  const auto from = directory_ / merged.source;
  std::error_code none;
  const bool is_name = !merged.source.empty() && merged.source.find('/') == std::string::npos;
  if (!is_name || !fs::is_directory(from, none)) return all;
  for (const auto& path : entries_of(from))
    if (is_sums_file(path.filename().string()))
      all.push_back({.file = path.filename(), .sums = read_file(path)});
  return all;
}

void MergeSums::forget() const noexcept try { remove_tree(directory_); } catch (const Error&) {
  // The next merge of the image uses it.
}

}  // namespace state
