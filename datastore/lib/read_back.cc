// SPDX-License-Identifier: Apache-2.0
// The data of a chain, held against what was captured.
#include <algorithm>
#include <deque>
#include <set>

#include "common/error.h"
#include "common/file.h"
#include "common/one/sums_file.h"
#include "datastore/lib/checked_file.h"
#include "datastore/lib/verification.h"

namespace fs = std::filesystem;

namespace {

// Each may be a program and a connection of its own.  The files of longer chains are read one after
// the other, and only their maps are merged.
constexpr std::size_t most_at_once = 8;

// As a restore does it, into nothing.
void merge(std::deque<CheckedFile>& files) {
  const bool side_by_side = files.size() <= most_at_once;
  if (side_by_side)
    for (auto& file : files) file.start();
  std::vector<qcow2::StreamReader> readers;
  for (auto& file : files) {
    readers.push_back(file.open());
    if (!side_by_side) file.drain();
  }
  qcow2::Merge merged{std::move(readers)};
  if (side_by_side) merged.write([](std::span<const std::byte>) {});
}

std::string merge_problem(std::deque<CheckedFile>& files) try {
  merge(files);
  return "";
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  return error.what();
}

DiskReport* disk_of(IncrementReport& increment, int id) {
  for (auto& disk : increment.disks)
    if (disk.id == id) return &disk;
  return nullptr;
}

}  // namespace

void Verification::read_data() {
  std::uint64_t total = 0;
  std::set<int> ids;
  for (const auto& increment : report_.increments)
    for (const auto& disk : increment.disks) {
      total += disk.size;
      ids.insert(disk.id);
    }
  Progress progress{"verify", total};
  progress.at(0);
  for (std::size_t i = 0; i < parts_.size(); ++i) read_documents(i);
  for (const int id : ids) read_disk(id, progress);
  stored_.insist();  // else what could not be read may be no fault of the backup
}

void Verification::read_documents(std::size_t i) {
  auto& increment = report_.increments[i];
  for (const auto& [name, size] : parts_[i].files) {
    if (is_sums_file(name) || disk_id_of(name)) continue;
    const auto text = stored_.document(i, name, increment.problem);
    if (!text) continue;
    if ((name == "vm.xml" && !stored_.is_vm(*text)) || !is_as_captured(i, name, *text))
      add_problem(increment.problem, "its " + name + " is damaged");
  }
}

// As far as anybody knows.
bool Verification::is_as_captured(std::size_t i, const std::string& name,
                                  const std::string& text) const {
  const auto& part = parts_[i];
  if (part.merged) return true;
  if (name == "vmvault.json") {
    const auto known = known_.find(name + "." + std::to_string(report_.increments[i].id));
    return known == known_.end() || known->second == text;
  }
  return !part.result || part.result->is_as_captured(name, text);
}

std::optional<std::string> Verification::sums_of(std::size_t i, DiskReport& disk) {
  if (!disk.sums) return std::nullopt;
  const auto name = sums_file(disk.file);
  std::optional<std::string> known;
  if (const auto it = known_.find(name); it != known_.end()) known = it->second;
  auto stored = file_of(i, name);
  if (known && stored && *known != *stored)
    disk.problem =
        "the checksums that are stored with " + disk.file + " are not those of its capture";
  return known ? known : stored;
}

void Verification::read_disk(int id, Progress& progress) {
  std::deque<CheckedFile> files;
  std::vector<DiskReport*> disks;
  std::vector<bool> described;  // by a vmvault.json: it was written in sequence
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto* disk = disk_of(report_.increments[i], id);
    if (!disk) continue;
    if (!parts_[i].files.contains(disk->file)) continue;  // said already
    files.emplace_back([this, i, file = disk->file] { return stored_.open(i, file); }, disk->file,
                       disk->size, sums_of(i, *disk),
                       [&](std::size_t n) { progress.at(read_ += n); });
    disks.push_back(disk);
    described.push_back(parts_[i].result.has_value());
  }
  const auto unmerged = merge_problem(files);
  bool ours = !files.empty();
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i].drain();
    auto& disk = *disks[i];
    if (disk.problem.empty() || files[i].wrong_at()) {
      disk.problem = files[i].problem();
      disk.offset = files[i].wrong_at();
      disk.guest_offset = files[i].wrong_at_guest();
    }
    disk.proven = files[i].proven() && disk.problem.empty();
    ours = ours && (disk.proven || (described[i] && disk.problem.empty()));
  }
  // Of random layout are only files of others: they have neither sums nor a vmvault.json.
  if (ours && !unmerged.empty()) disks.back()->problem = "its disk cannot be merged: " + unmerged;
}
