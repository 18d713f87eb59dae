// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/next_backup.h"

#include <algorithm>

namespace state {
namespace {

std::vector<int> sorted(std::vector<int> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string why_not(const ImageRecord& active, const Wish& wish) {
  if (wish.full) return "a full backup was asked for";
  if (wish.mode == Mode::full) return "only full backups are made of it";
  if (active.half_deleted()) return "the chain so far is being deleted";
  // Else whose the machine was could read, and delete, what it holds from now on.
  if (active.owner != wish.owner) return "the chain so far belongs to another user";
  if (active.datastore != wish.datastore) return "the datastore is another one";
  if (sorted(active.disks) != sorted(wish.disks)) return "the set of disks has changed";
  // Whatever builds on it could not be restored either.
  for (const auto& one : active.increments)
    if (!one.damage.empty())
      return "increment " + std::to_string(one.id) + " of the chain so far is corrupt";
  return "";
}

}  // namespace

NextBackup next_backup(const std::optional<ImageRecord>& active, const Wish& wish) {
  if (!active || active->increments.empty()) return {};
  if (auto why = why_not(*active, wish); !why.empty())
    return {.image = std::nullopt, .last_increment = -1, .why = std::move(why)};
  return {.image = active->id, .last_increment = active->increments.back().id, .why = {}};
}

}  // namespace state
