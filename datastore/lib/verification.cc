// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/verification.h"

#include <algorithm>
#include <set>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "datastore/lib/chain_layers.h"

namespace fs = std::filesystem;

namespace {

std::optional<CaptureResult> parsed(const std::string& text, std::string& problem) try {
  return parse_result(text);
} catch (const BadRequest&) {
  add_problem(problem, "its vmvault.json is damaged");
  return std::nullopt;
}

}  // namespace

std::optional<int> disk_id_of(const std::string& name) {
  constexpr std::string_view start = "disk.";
  if (!name.starts_with(start)) return std::nullopt;
  return parse_int(
      std::string_view{name}.substr(start.size(), name.find('.', start.size()) - start.size()));
}

void add_problem(std::string& problem, const std::string& text) {
  problem += (problem.empty() ? "" : "; ") + text;
}

Texts texts_in(const fs::path& directory) {
  Texts texts;
  if (directory.empty()) return texts;
  for (const auto& path : entries_of(directory)) texts[path.filename().string()] = read_file(path);
  return texts;
}

Verification::Verification(StoredChain& stored, const Chain& chain, Texts known)
    : stored_{stored}, known_{std::move(known)} {
  for (const auto& one : chain.increments())
    report_.increments.push_back(
        {.id = one.id, .snapshot = one.source, .problem = {}, .disks = {}});
  parts_.resize(report_.increments.size());
}

void Verification::check_structure() {
  report_.repository = stored_.check();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto files = stored_.files(i, report_.increments[i].problem);
    if (!files) continue;
    parts_[i].files = *std::move(files);
    learn(i);
    check_disks(i);
    check_documents(i);
  }
  compare_disks();
}

void Verification::learn(std::size_t i) {
  auto& part = parts_[i];
  auto& increment = report_.increments[i];
  std::optional<std::string> text;
  if (const auto it = known_.find("vmvault.json." + std::to_string(increment.id));
      it != known_.end())
    text = it->second;
  if (!text) text = file_of(i, "vmvault.json");
  if (!text) return;
  part.result = parsed(*text, increment.problem);
  // A chain begins with all of the disk.  If its first one was an increment when it was captured,
  // it has been merged with what was before it since.
  if (i > 0 || !part.result || part.result->parent == -1) return;
  part.result.reset();
  part.merged = true;
}

std::optional<std::string> Verification::file_of(std::size_t i, const std::string& name) {
  if (!parts_[i].files.contains(name)) return std::nullopt;
  return stored_.document(i, name, report_.increments[i].problem);
}

void Verification::check_disks(std::size_t i) {
  auto& increment = report_.increments[i];
  const auto& part = parts_[i];
  std::map<int, DiskReport> disks;
  const auto report_of = [&](int id) -> DiskReport& {
    auto& disk = disks[id];
    disk.id = id;
    const auto names = names_of_disk(id, increment.id);
    const auto there = std::find_if(names.begin(), names.end(),
                                    [&](const auto& name) { return part.files.contains(name); });
    disk.file = there == names.end() ? names.front() : *there;
    return disk;
  };
  const auto& sizes = part.files;
  for (const auto& [name, size] : sizes)
    if (const auto id = disk_id_of(name)) report_of(*id);
  if (part.result)
    for (const auto& planned : part.result->disks) report_of(planned.id);
  for (auto& [id, disk] : disks) {
    const auto found = sizes.find(disk.file);
    if (found == sizes.end()) {
      disk.problem = stored_.name(i) + " has no " + disk.file;
      continue;
    }
    disk.size = found->second;
    check_size(part, disk);
    check_sums(part, disk);
  }
  for (auto& [id, disk] : disks) increment.disks.push_back(std::move(disk));
  if (!sizes.contains("vm.xml")) add_problem(increment.problem, stored_.name(i) + " has no vm.xml");
}

void Verification::check_documents(std::size_t i) {
  const auto& part = parts_[i];
  if (!part.result) return;
  auto& problem = report_.increments[i].problem;
  for (const auto& planned : part.result->documents) {
    if (planned.file.empty()) continue;  // it never was in the backup
    const auto found = part.files.find(planned.file);
    if (found == part.files.end())
      add_problem(problem, stored_.name(i) + " has no " + planned.file);
    else if (found->second != planned.size)
      add_problem(problem, planned.file + " has " + std::to_string(found->second) +
                               " bytes instead of " + std::to_string(planned.size));
  }
  for (const auto& [name, sum] : part.result->files) {
    const auto is_it = [&file = name](const DocumentResult& planned) {
      return planned.file == file;
    };
    const auto& said = part.result->documents;  // above
    if (name == "vm.xml" || std::any_of(said.begin(), said.end(), is_it)) continue;
    if (!part.files.contains(name)) add_problem(problem, stored_.name(i) + " has no " + name);
  }
}

void Verification::check_size(const Part& part, DiskReport& disk) {
  if (!part.result) return;
  for (const auto& planned : part.result->disks)
    if (planned.id == disk.id && planned.file_size != disk.size) {
      disk.problem = disk.file + " has " + std::to_string(disk.size) + " bytes instead of " +
                     std::to_string(planned.file_size);
      disk.offset = std::min(disk.size, planned.file_size);
    }
}

void Verification::check_sums(const Part& part, DiskReport& disk) const {
  if (part.merged) return;
  const auto& sizes = part.files;
  const auto stored = sizes.find(sums_file(disk.file));
  disk.sums = stored != sizes.end() || known_.contains(sums_file(disk.file));
  if (stored != sizes.end() && stored->second != sums::size(disk.size) && disk.problem.empty())
    disk.problem = "the checksums of " + disk.file + " have the wrong size";
}

// A disk that one of them does not have cannot be restored.
void Verification::compare_disks() {
  std::set<int> ids;
  for (const auto& increment : report_.increments)
    for (const auto& disk : increment.disks) ids.insert(disk.id);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& increment = report_.increments[i];
    if (parts_[i].files.empty()) continue;  // said already
    for (const int id : ids) {
      const auto is_it = [&](const DiskReport& disk) { return disk.id == id; };
      if (std::none_of(increment.disks.begin(), increment.disks.end(), is_it))
        add_problem(increment.problem,
                    stored_.name(i) + " has no file of disk " + std::to_string(id));
    }
  }
}
