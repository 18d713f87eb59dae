// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/selection.h"

#include <algorithm>
#include <cctype>

#include "common/error.h"
#include "common/one/machine_state.h"
#include "common/one/sums_file.h"

namespace fs = std::filesystem;

namespace {

bool is_disk(const std::string& name) { return name.starts_with("disk."); }

bool belongs(const std::string& name) {
  return is_disk(name) || name == "vm.xml" || name == "domain.xml" || name == "vmvault.json" ||
         name == machine_state::nvram_document || is_sums_file(name);
}

bool is_legacy_rbd(const std::string& name) {
  return name.ends_with(".rbd2") || name.ends_with(".rbdiff");
}

}  // namespace

bool is_disk_file(const std::string& name) {
  return is_disk(name) && name.size() > 5 && std::isdigit(static_cast<unsigned char>(name[5]));
}

std::string Selection::reply(const std::string& id) const {
  return id + " " + std::to_string(mebibytes(disk_bytes)) + " " + format;
}

std::uint64_t mebibytes(std::uint64_t bytes) {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
  return std::max<std::uint64_t>(1, (bytes + mebibyte - 1) / mebibyte);
}

Selection select_files(const std::vector<DirectoryEntry>& entries, const fs::path& directory,
                       Reads reads) {
  Selection selection;
  int disks = 0, legacy = 0;
  for (const auto& entry : entries) {
    if (!belongs(entry.name)) continue;
    if (!entry.regular)
      throw Error{"'" + (directory / entry.name).string() + "' is not a plain file"};
    const bool sums_of_view = entry.view && is_sums_file(entry.name);
    if (sums_of_view && reads == Reads::several_at_once) continue;
    selection.sums_of_view = selection.sums_of_view || sums_of_view;
    selection.names.push_back(entry.name);
    selection.sizes[entry.name] = entry.size;
    selection.bytes += entry.size;
    if (!is_disk_file(entry.name)) continue;
    selection.disk_bytes += entry.size;
    ++disks;
    if (is_legacy_rbd(entry.name)) ++legacy;
  }
  std::sort(selection.names.begin(), selection.names.end());
  if (disks == 0) throw Error{"there is no disk file in '" + directory.string() + "'"};
  if (!std::binary_search(selection.names.begin(), selection.names.end(), "vm.xml"))
    throw Error{"there is no vm.xml in '" + directory.string() + "'"};
  if (legacy != 0 && legacy != disks)
    throw Error{"'" + directory.string() +
                "' mixes files of rbd with others: one backup has one format"};
  selection.format = legacy != 0 ? "rbd" : "raw";
  return selection;
}

void require_disks(const Selection& selection, const std::vector<int>& ids, int increment,
                   const fs::path& directory) {
  const auto has = [&](const std::string& name) {
    return std::binary_search(selection.names.begin(), selection.names.end(), name);
  };
  for (const auto id : ids) {
    const auto disk = "disk." + std::to_string(id);
    const auto file = disk + "." + std::to_string(increment);
    if (!has(file) && !has(file + ".rbdiff") && !has(file + ".rbd2") &&
        !(increment == 0 && has(disk + ".rbd2")))
      throw Error{"there is no '" + file + "' in '" + directory.string() + "'"};
  }
}
