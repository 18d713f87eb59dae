// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flatten_plan.h"

#include <algorithm>

#include "common/error.h"
#include "datastore/restic/lib/restic_version.h"

namespace restic {
namespace {

constexpr std::string_view prefix = "vmvault-flat-";  // then the short ids, joined by '-'

std::string tag_of(const std::vector<std::string>& ids) {
  std::string tag{prefix};
  for (const auto& id : ids) tag += (tag.size() == prefix.size() ? "" : "-") + id;
  return tag;
}

class Planner {
 public:
  Planner(const std::vector<Snapshot>& all, const Chain& chain, int keep)
      : all_{all}, chain_{chain} {
    for (const auto& one : chain.increments()) ids_.push_back(short_id(one.source));
    count_ = ids_.size() - static_cast<std::size_t>(keep) + 1;
    // An earlier one that merged more, and of which some are gone, cannot be undone.
    for (const auto& one : all) {
      const auto ids = stands_for(one);
      if (ids.size() > count_ && begins_with(ids) &&
          !std::all_of(ids.begin(), ids.end(), [&](const auto& id) { return find(id); }))
        count_ = ids.size();
    }
  }

  FlattenPlan plan(const std::function<bool(const Snapshot&)>& whole) {
    const auto& increments = chain_.increments();
    FlattenPlan out;
    out.tag = tag_of({ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count_)});
    std::vector<Increment> kept;
    std::optional<std::int64_t> behind;
    for (std::size_t i = count_; i < ids_.size(); ++i) {
      const auto* one = require(i);
      if (one && !behind) behind = one->time;
      kept.push_back(increments[i]);
    }
    std::size_t next = 0;
    for (const auto* one : earlier()) {
      const auto covered = stands_for(*one).size();
      if (next == 0 && whole(*one)) {
        next = covered;
        out.sources.push_back({increments[next - 1].id, *one});
        if (next == count_) out.done = *one;
      }
      if (!out.done || out.done->id != one->id) out.obsolete.push_back(one->id);
    }
    for (; next < count_; ++next)
      if (const auto* one = require(next)) out.sources.push_back({increments[next].id, *one});
    if (!missing_.empty())
      throw Error{"the repository has no snapshot " + missing_ + " of the chain " + chain_.text()};
    // OpenNebula's own driver goes by the times, not by the list (W6).
    out.time = out.sources.back().snapshot.time;
    if (behind) out.time = std::min(out.time, *behind - 1);
    if (!kept.empty()) out.kept = Chain{std::move(kept)};
    add_old(out.obsolete);
    return out;
  }

  std::vector<std::string> left() const {
    std::vector<std::string> ids;
    for (const auto* one : earlier()) ids.push_back(one->id);
    for (const auto& id : ids_)
      if (const auto* one = find(id)) add_sources(*one, ids);
    return ids;
  }

 private:
  bool begins_with(const std::vector<std::string>& ids) const {
    return ids.size() <= ids_.size() && std::equal(ids.begin(), ids.end(), ids_.begin());
  }

  const Snapshot* find(const std::string& id) const {
    const auto it = std::find_if(all_.begin(), all_.end(),
                                 [&](const Snapshot& one) { return one.id.starts_with(id); });
    return it == all_.end() ? nullptr : &*it;
  }

  const Snapshot* require(std::size_t index) {
    const auto* one = find(ids_[index]);
    if (!one) missing_ += (missing_.empty() ? "" : ", ") + ids_[index];
    return one;
  }

  // What flattens of this very chain have left, the longest first.
  std::vector<const Snapshot*> earlier() const {
    std::vector<const Snapshot*> found;
    for (const auto& one : all_) {
      const auto ids = stands_for(one);
      if (!ids.empty() && ids.size() <= count_ && begins_with(ids)) found.push_back(&one);
    }
    std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) {
      return stands_for(*a).size() > stands_for(*b).size();
    });
    return found;
  }

  void add(const std::string& id, std::vector<std::string>& ids) const {
    const auto* one = find(id);
    if (one && std::find(ids.begin(), ids.end(), one->id) == ids.end()) ids.push_back(one->id);
  }

  // Of a flatten: what it was made of should be gone.
  void add_sources(const Snapshot& snapshot, std::vector<std::string>& ids) const {
    for (const auto& id : stands_for(snapshot)) add(id, ids);
  }

  void add_old(std::vector<std::string>& obsolete) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (const auto* one = find(ids_[i])) add_sources(*one, obsolete);
      add(ids_[i], obsolete);
    }
  }

  const std::vector<Snapshot>& all_;
  const Chain& chain_;
  std::vector<std::string> ids_;  // short
  std::size_t count_;             // so many are merged
  std::string missing_;
};

}  // namespace

std::vector<std::string> stands_for(const Snapshot& snapshot) {
  std::vector<std::string> ids;
  for (std::string_view tag : snapshot.tags) {
    if (!tag.starts_with(prefix)) continue;
    tag.remove_prefix(prefix.size());
    while (!tag.empty()) {
      const auto end = tag.find('-');
      ids.emplace_back(tag.substr(0, end));
      tag.remove_prefix(end == tag.npos ? tag.size() : end + 1);
    }
  }
  return ids;
}

FlattenPlan plan_flatten(const std::vector<Snapshot>& all, const Chain& chain, int keep,
                         const std::function<bool(const Snapshot&)>& whole) {
  return Planner{all, chain, keep}.plan(whole);
}

std::vector<std::string> left_by_flattens(const std::vector<Snapshot>& all, const Chain& chain) {
  return Planner{all, chain, 1}.left();
}

bool is_own_tag(const std::string& tag) { return tag.starts_with("vmvault-"); }

}  // namespace restic
