// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/known_as.h"

#include <algorithm>

namespace restic {
namespace {

// The only id that begins so; empty: there is none, or there are several.
std::string whole_id(const std::vector<Snapshot>& all, const std::string& begin,
                     const std::string Snapshot::*which) {
  std::string found;
  for (const auto& one : all) {
    const auto& id = one.*which;
    if (!id.starts_with(begin) || id == found) continue;
    if (!found.empty()) return "";
    found = id;
  }
  return found;
}

}  // namespace

const std::string& first_id(const Snapshot& snapshot) {
  return snapshot.original.empty() ? snapshot.id : snapshot.original;
}

std::vector<const Snapshot*> all_known_as(const std::vector<Snapshot>& all, const std::string& id) {
  if (id.empty()) return {};
  const bool now =
      std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.id.starts_with(id); });
  const auto whole = whole_id(all, id, now ? &Snapshot::id : &Snapshot::original);
  if (whole.empty()) return {};
  std::vector<const Snapshot*> found;
  for (const auto& one : all)
    if (one.id == whole) found.push_back(&one);
  for (const auto& one : all)
    if (one.id != whole && one.original == whole) found.push_back(&one);
  return found;
}

const Snapshot* known_as(const std::vector<Snapshot>& all, const std::string& id) {
  const auto found = all_known_as(all, id);
  return found.empty() ? nullptr : found.front();
}

}  // namespace restic
