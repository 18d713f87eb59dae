// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flat_files.h"

#include <algorithm>
#include <optional>

#include "common/error.h"
#include "common/one/flat_result.h"
#include "common/one/sums_file.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/restic/lib/restic_version.h"
#include "datastore/restic/lib/scratch.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

constexpr std::size_t read_at_once = 2;  // files, by restic

std::string name_of(int disk, int increment) {
  return "disk." + std::to_string(disk) + "." + std::to_string(increment);
}

std::map<int, std::string> disks_of(const FlattenPlan& plan) {
  std::map<int, std::string> disks;
  const auto& newest = plan.sources.back().snapshot;
  for (const fs::path path : newest.paths) {
    const auto name = path.filename().string();
    if (const auto id = disk_in(name, plan.increment()))
      disks[*id] = name_of(*id, plan.increment());
  }
  if (disks.empty())
    throw Error{"the snapshot " + short_id(newest.id) + " has no disk of increment " +
                std::to_string(plan.increment())};
  return disks;
}

}  // namespace

FlatFiles::FlatFiles(const Restic& restic, const FlattenPlan& plan, Read read,
                     const fs::path& directory, const KnownSums& sums)
    : restic_{restic},
      plan_{plan},
      names_{disks_of(plan)},
      streams_{restic, std::min(names_.size(), read_at_once) * plan.sources.size(), directory,
               sums} {
  open_disks(read, directory);
  read_documents();
}

std::vector<StoredFile> FlatFiles::chain_of(int disk) const {
  return stored_disk(plan_.sources, disk);
}

void FlatFiles::open_disks(Read read, const fs::path& directory) {
  const auto opened = names_.size() <= read_at_once ? Opened::kept : Opened::closed;
  std::uint64_t need = 0;
  for (const auto& [id, name] : names_) {
    const auto chain = chain_of(id);
    auto& disk = disks_[name] = stream_flat_disk(streams_, chain, opened);
    const auto size = disk ? disk->size() : size_of(restic_, chain);
    if (!disk) need += size;
    if (read == Read::from_files) need += size;
  }
  if (need == 0) return;
  check_space(directory.parent_path(), need);
  for (const auto& [id, name] : names_)
    if (auto& disk = disks_[name]; !disk)
      disk = copy_flat_disk(restic_, chain_of(id), directory / std::to_string(id));
}

void FlatFiles::read_documents() {
  std::map<int, std::uint64_t> sizes;
  for (const auto& [id, name] : names_) sizes[id] = disks_.at(name)->size();
  const auto& newest = plan_.sources.back().snapshot;
  for (const fs::path path : newest.paths) {
    const auto name = path.filename().string();
    // Checksums (sums.<id>.<n>) are those of the increment's own file.
    if (disk_in(name, plan_.increment()) || name.starts_with("sums.")) continue;
    auto text = restic_.dump(short_id(newest.id), path);
    if (name == result_document) text = flat_result(text, sizes);
    documents_[name] = std::move(text);
  }
}

std::vector<std::string> FlatFiles::names() const {
  std::vector<std::string> all;
  for (const auto& [name, disk] : disks_) all.push_back(name);
  for (const auto& [name, text] : documents_) all.push_back(name);
  std::sort(all.begin(), all.end());
  return all;
}

std::uint64_t FlatFiles::disk_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [name, disk] : disks_) sum += disk->size();
  return sum;
}

std::map<std::string, std::string> FlatFiles::sums() const {
  std::map<std::string, std::string> all;
  for (const auto& [name, disk] : disks_)
    if (auto sums = disk->sums()) all[sums_file(name)] = *std::move(sums);
  return all;
}

std::uint64_t FlatFiles::bytes() const {
  auto sum = disk_bytes();
  for (const auto& [name, text] : documents_) sum += text.size();
  return sum;
}

}  // namespace restic
