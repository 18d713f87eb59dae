// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/verification.h"

#include <algorithm>
#include <set>

#include "common/file.h"
#include "common/number.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "datastore/restic/lib/dump.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::string base_name(const std::string& path) { return fs::path{path}.filename().string(); }

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

Verification::Verification(const Restic& restic, const Chain& chain, fs::path known)
    : restic_{restic}, known_{std::move(known)} {
  for (const auto& one : chain.increments())
    report_.increments.push_back(
        {.id = one.id, .snapshot = one.source, .problem = {}, .disks = {}});
  parts_.resize(report_.increments.size());
}

// What restic cannot read of a repository that can be opened is a problem of the backup; that it
// cannot be opened is not.
std::optional<std::string> Verification::ask(const std::vector<std::string>& args,
                                             const std::string& what, std::string& problem) const {
  const auto moves = args.front() == "dump" ? Moves::out : Moves::nothing;
  Finished finished;
  try {
    finished = restic_.when_unlocked(restic_.command(args, moves).deadline(answer_limit()));
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    restic_.insist();
    add_problem(problem, what + " cannot be read: " + error.what());
    return std::nullopt;
  }
  if (finished.ok()) return std::move(finished.out);
  switch (classify(finished.status, finished.err)) {
    case Outcome::failed:
    case Outcome::incomplete:
    case Outcome::no_such_file:
    case Outcome::no_snapshot:
      restic_.insist();
      add_problem(problem, what + " cannot be read: " +
                               restic_.repository().without_secrets(reason(finished.err)));
      return std::nullopt;
    default:
      throw restic_.failure("verify", finished);
  }
}

void Verification::check_structure() {
  restic_.insist();
  check_repository();
  std::vector<std::string> ids;
  for (const auto& one : report_.increments) ids.push_back(one.snapshot);
  std::set<std::string> found;
  for (const auto& snapshot : restic_.find(ids)) found.insert(snapshot.id);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& increment = report_.increments[i];
    const auto is_it = [&](const std::string& id) { return id.starts_with(increment.snapshot); };
    if (std::none_of(found.begin(), found.end(), is_it)) {
      increment.problem = "the snapshot " + increment.snapshot + " is not in the repository";
      continue;
    }
    if (!list(i)) continue;
    learn(i);
    check_disks(i);
  }
  compare_disks();
}

void Verification::check_repository() {
  const auto finished = restic_.when_unlocked(restic_.command({"check"}));
  if (finished.ok()) return;
  if (classify(finished.status, finished.err) != Outcome::failed)
    throw restic_.failure("verify", finished);
  restic_.insist();
  report_.repository = restic_.repository().without_secrets(first_finding(finished.err));
}

bool Verification::list(std::size_t i) {
  auto& increment = report_.increments[i];
  const auto text = ask({"ls", "--json", "--no-lock", increment.snapshot},
                        "the snapshot " + increment.snapshot, increment.problem);
  if (text) parts_[i].files = parse_files(*text);
  return text.has_value();
}

void Verification::learn(std::size_t i) {
  auto& part = parts_[i];
  auto& increment = report_.increments[i];
  std::optional<std::string> text;
  if (!known_.empty())
    text = read_file_if_any(known_ / ("vmvault.json." + std::to_string(increment.id)));
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
  auto& increment = report_.increments[i];
  for (const auto& [path, size] : parts_[i].files)
    if (base_name(path) == name)
      return ask({"dump", "--quiet", increment.snapshot, path}, name, increment.problem);
  return std::nullopt;
}

void Verification::check_disks(std::size_t i) {
  auto& increment = report_.increments[i];
  const auto& part = parts_[i];
  std::map<int, DiskReport> disks;
  const auto report_of = [&](int id) -> DiskReport& {
    auto& disk = disks[id];
    disk.id = id;
    disk.file = "disk." + std::to_string(id) + "." + std::to_string(increment.id);
    return disk;
  };
  Sizes sizes;  // by name
  for (const auto& [path, size] : part.files) sizes[base_name(path)] = size;
  for (const auto& [name, size] : sizes)
    if (const auto id = disk_id_of(name)) report_of(*id);
  if (part.result)
    for (const auto& planned : part.result->disks) report_of(planned.id);
  for (auto& [id, disk] : disks) {
    const auto found = sizes.find(disk.file);
    if (found == sizes.end()) {
      disk.problem = "the snapshot " + increment.snapshot + " has no " + disk.file;
      continue;
    }
    disk.size = found->second;
    check_size(part, disk);
    check_sums(part, sizes, disk);
  }
  for (auto& [id, disk] : disks) increment.disks.push_back(std::move(disk));
  if (!sizes.contains("vm.xml"))
    add_problem(increment.problem, "the snapshot " + increment.snapshot + " has no vm.xml");
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

void Verification::check_sums(const Part& part, const Sizes& sizes, DiskReport& disk) const {
  if (part.merged) return;
  const auto stored = sizes.find(sums_file(disk.file));
  disk.sums =
      stored != sizes.end() || (!known_.empty() && fs::exists(known_ / sums_file(disk.file)));
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
        add_problem(increment.problem, "the snapshot " + increment.snapshot +
                                           " has no file of disk " + std::to_string(id));
    }
  }
}

}  // namespace restic
