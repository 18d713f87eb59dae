// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flatten.h"

#include <optional>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "datastore/lib/selection.h"
#include "datastore/restic/lib/flat_snapshot.h"
#include "datastore/restic/lib/noted_dir.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::vector<std::string> ids_of(const std::vector<Snapshot>& snapshots) {
  std::vector<std::string> ids;
  for (const auto& one : snapshots) ids.push_back(one.id);
  return ids;
}

fs::path note_of(const Restic& restic, int vm_id) {
  const auto& repository = restic.repository();
  return var_dir() / ("restic-flatten." + std::to_string(repository.datastore_id()) + "." +
                      repository.id() + "." + std::to_string(vm_id));
}

// What may be stored, until the old ones go.
class Candidate {
 public:
  Candidate(const Restic& restic, std::string tag) : restic_{restic}, tag_{std::move(tag)} {}
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  ~Candidate() {
    if (kept_) return;
    try {
      restic_.clear_stale_locks(Care::undo);  // of a restic that had to be killed
      const auto ids = ids_of(restic_.find_tagged(tag_, Care::undo));
      if (ids.empty()) return;
      note_prune(restic_.repository());
      restic_.forget(ids, std::nullopt, Care::undo);
    } catch (const std::exception& error) {
      log(Level::warn, std::string{"a flatten that failed may have left a snapshot, with which the "
                                   "next one of this VM goes on: "} +
                           error.what());
    }
  }

  void keep() { kept_ = true; }

 private:
  const Restic& restic_;
  std::string tag_;
  bool kept_ = false;
};

// Cancelled only as long as all of them are there.
void forget_old(const Restic& restic, const std::vector<std::string>& ids) {
  std::vector<std::string> args{"forget"};
  args.insert(args.end(), ids.begin(), ids.end());
  note_prune(restic.repository());
  LockWait wait{restic, Care::cancellable};
  cancel::check();
  for (;;) {
    const auto finished = restic.command(args).shielded().run();
    if (finished.ok()) return;
    if (!wait.again(finished)) throw restic.failure("remove the merged snapshots", finished);
  }
}

// The new snapshot is good, whatever becomes of the old ones.
void remove_old(const Restic& restic, const std::vector<std::string>& ids,
                const PrunePolicy& policy) {
  try {
    if (!ids.empty()) forget_old(restic, ids);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    log(Level::warn, "the next flatten of the VM tries again: " + std::string{error.what()});
    return;
  }
  if (!policy.now()) return;
  try {
    prune(restic, policy);
  } catch (const Error& error) {
    log(Level::warn, "the data of the merged snapshots stays until the next prune: " +
                         std::string{error.what()});
  }
}

// Without them it is as good, but cannot be proven.
void leave_sums(const FlatSnapshot& flat, const fs::path& below) try {
  if (below.empty() || flat.sums.empty()) return;
  const auto directory = below / flat.source;
  fs::create_directories(directory);
  for (const auto& [name, sums] : flat.sums) write_file(directory / name, sums);
} catch (const std::exception& error) {
  log(Level::warn, std::string{"the checksums of the merged disks are lost: "} + error.what());
}

}  // namespace

std::string flatten(const Restic& restic, const FlattenOrder& order, const PrunePolicy& policy) {
  const auto note = note_of(restic, order.vm_id);
  remove_noted_dir(note);
  const auto plan =
      plan_flatten(restic.find({}), order.chain, order.keep,
                   [&](const Snapshot& snapshot) { return is_whole(restic, snapshot); });
  std::optional<Candidate> candidate;
  if (!plan.done) candidate.emplace(restic, plan.tag);
  const auto flat = plan.done ? stored_flat_snapshot(restic, *plan.done)
                              : store_flat_snapshot(restic, plan, order, note);
  leave_sums(flat, order.sums);
  remove_old(restic, plan.obsolete, policy);
  if (candidate) candidate->keep();
  std::vector<Increment> chain{{plan.increment(), flat.source}};
  for (const auto& one : plan.kept.increments()) chain.push_back(one);
  return std::to_string(mebibytes(flat.disk_bytes)) + " " + Chain{std::move(chain)}.text();
}

}  // namespace restic
