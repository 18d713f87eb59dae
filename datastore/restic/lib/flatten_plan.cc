// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flatten_plan.h"

#include <algorithm>
#include <iterator>

#include "common/error.h"
#include "datastore/restic/lib/known_as.h"
#include "datastore/restic/lib/restic_version.h"

namespace restic {
namespace {

// Then the short ids, joined by '-'.
constexpr std::string_view prefix = "vmvault-flat-", ancestors_prefix = "vmvault-was-";
constexpr std::size_t most_ancestors = 100;

std::string tag_of(std::string_view begin, const std::vector<std::string>& ids) {
  std::string tag{begin};
  for (const auto& id : ids) tag += (tag.size() == begin.size() ? "" : "-") + id;
  return tag;
}

bool is_short_id(std::string_view text) {
  return !text.empty() && text.size() <= 8 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

// A tag that holds anything else is none of ours.
std::vector<std::string> ids_in(const Snapshot& snapshot, std::string_view begin) {
  std::vector<std::string> all;
  for (std::string_view tag : snapshot.tags) {
    if (!tag.starts_with(begin)) continue;
    tag.remove_prefix(begin.size());
    std::vector<std::string> ids;
    for (auto end = tag.find('-'); end != tag.npos; end = tag.find('-')) {
      ids.emplace_back(tag.substr(0, end));
      tag.remove_prefix(end + 1);
    }
    ids.emplace_back(tag);
    if (std::all_of(ids.begin(), ids.end(), is_short_id))
      all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}

bool holds(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::vector<std::string> short_ids(const Chain& chain) {
  std::vector<std::string> ids;
  for (const auto& one : chain.increments()) ids.push_back(short_id(one.source));
  return ids;
}

// In the place of how many of the first of these it is; 0: it is not of this chain, or holds more.
// Either it was made of just them, or of one that this chain does not know, being older than that,
// and of some of them: an increment is of one chain only, and upon it the merged one has all
// before.
std::size_t covered_by(const Snapshot& snapshot, const std::vector<std::string>& ids) {
  const auto made_of = stands_for(snapshot);
  if (made_of.empty()) return 0;
  if (made_of.size() <= ids.size() && std::equal(made_of.begin(), made_of.end(), ids.begin()))
    return made_of.size();
  const auto known = made_of.size() - 1;
  const auto last = std::find(ids.begin(), ids.end(), made_of.back());
  if (known == 0 || last == ids.end() || holds(ids, made_of.front())) return 0;
  const auto count = static_cast<std::size_t>(last - ids.begin()) + 1;
  if (count <= known || !std::equal(made_of.begin() + 1, made_of.end(), last + 1 - known)) return 0;
  return count;
}

class Planner {
 public:
  Planner(const std::vector<Snapshot>& all, const Chain& chain, int keep)
      : all_{all}, chain_{chain}, ids_{short_ids(chain)} {
    count_ = ids_.size() - static_cast<std::size_t>(keep) + 1;
    // An earlier one that merged more, and of which some are gone, cannot be undone.
    for (const auto& one : all) {
      const auto covered = covered_by(one, ids_);
      if (covered > count_ && !are_all_there(covered)) count_ = covered;
    }
  }

  FlattenPlan plan(const std::function<bool(const Snapshot&)>& whole) {
    const auto& increments = chain_.increments();
    FlattenPlan out;
    out.tag = tag_of(prefix, {ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count_)});
    std::vector<Increment> kept;
    std::optional<std::int64_t> behind;
    for (std::size_t i = count_; i < ids_.size(); ++i) {
      const auto* one = require(i);
      if (one && !behind) behind = one->time;
      kept.push_back(increments[i]);
    }
    std::size_t next = 0;
    for (const auto* one : earlier()) {
      if (next == 0 && whole(*one)) {
        next = covered_by(*one, ids_);
        out.sources.push_back(
            {.increment = increments[next - 1].id, .snapshot = *one, .merged = true});
        if (next == count_) out.done = *one;
      }
      if (!out.done || out.done->id != one->id) out.obsolete.push_back(one->id);
    }
    for (; next < count_; ++next)
      if (const auto* one = require(next))
        out.sources.push_back({.increment = increments[next].id, .snapshot = *one});
    if (!missing_.empty())
      throw Error{"the repository has no snapshot " + missing_ + " of the chain " + chain_.text()};
    // OpenNebula's own driver goes by the times, not by the list (W6).
    out.time = out.sources.back().snapshot.time;
    if (behind) out.time = std::min(out.time, *behind - 1);
    if (!kept.empty()) out.kept = Chain{std::move(kept)};
    out.ancestors_tag = ancestors_tag(out.sources);
    add_old(out.obsolete);
    return out;
  }

  std::vector<std::string> all_of_it() const {
    std::vector<std::string> ids;
    for (const auto& one : chain_.increments()) add(one.source, ids);
    for (const auto* one : earlier())
      if (!holds(ids, one->id)) ids.push_back(one->id);
    for (const auto& id : ids_)
      if (const auto* one = find(id)) add_sources(*one, ids);
    return ids;
  }

 private:
  const Snapshot* find(const std::string& id) const { return known_as(all_, id); }

  bool are_all_there(std::size_t count) const {
    return std::all_of(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](const auto& id) { return find(id); });
  }

  std::string ancestors_tag(const std::vector<StoredIncrement>& sources) const {
    std::vector<std::string> ids;
    for (const auto& source : sources) {
      auto more = ancestors_of(source.snapshot);
      for (auto& id : stands_for(source.snapshot)) more.push_back(std::move(id));
      if (source.merged) more.push_back(short_id(first_id(source.snapshot)));
      std::copy_if(more.begin(), more.end(), std::back_inserter(ids),
                   [&](const auto& id) { return !holds(ids_, id); });
    }
    if (ids.empty()) return "";
    const auto first = ids.size() - std::min(ids.size(), most_ancestors);
    return tag_of(ancestors_prefix, {ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end()});
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
      const auto covered = covered_by(one, ids_);
      if (covered > 0 && covered <= count_) found.push_back(&one);
    }
    std::stable_sort(found.begin(), found.end(), [this](const auto* a, const auto* b) {
      return covered_by(*a, ids_) > covered_by(*b, ids_);
    });
    return found;
  }

  void add(const std::string& id, std::vector<std::string>& ids) const {
    for (const auto* one : all_known_as(all_, id))
      if (!holds(ids, one->id)) ids.push_back(one->id);
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
  const std::vector<std::string> ids_;  // short
  std::size_t count_;                   // so many are merged
  std::string missing_;
};

}  // namespace

std::vector<std::string> stands_for(const Snapshot& snapshot) { return ids_in(snapshot, prefix); }

std::vector<std::string> ancestors_of(const Snapshot& snapshot) {
  return ids_in(snapshot, ancestors_prefix);
}

Chain as_stored(const std::vector<Snapshot>& all, const Chain& chain) {
  const auto& increments = chain.increments();
  const auto ids = short_ids(chain);
  std::size_t gone_up_to = 0;  // behind the last that is missing
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!known_as(all, ids[i])) gone_up_to = i + 1;
  const auto begin =
      std::find_if(ids.begin(), ids.end(), [&](const auto& id) { return !known_as(all, id); });
  const auto first_gone = static_cast<std::size_t>(begin - ids.begin());
  const Snapshot* merged = nullptr;
  std::size_t count = 0;
  // The shortest that has all that is missing, else the longest that has any of it.
  for (const auto& one : all) {
    const auto covered = covered_by(one, ids);
    if (covered <= first_gone) continue;
    if (count == 0 ||
        (count < gone_up_to ? covered > count : covered >= gone_up_to && covered < count)) {
      merged = &one;
      count = covered;
    }
  }
  if (!merged) return chain;
  std::vector<Increment> stored{{increments[count - 1].id, short_id(first_id(*merged))}};
  stored.insert(stored.end(), increments.begin() + static_cast<std::ptrdiff_t>(count),
                increments.end());
  return Chain{std::move(stored)};
}

const Snapshot* merged_into(const std::vector<Snapshot>& all, const std::string& id) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const Snapshot& one) {
    return holds(stands_for(one), short_id(id)) || holds(ancestors_of(one), short_id(id));
  });
  return it == all.end() ? nullptr : &*it;
}

FlattenPlan plan_flatten(const std::vector<Snapshot>& all, const Chain& chain, int keep,
                         const std::function<bool(const Snapshot&)>& whole) {
  return Planner{all, chain, keep}.plan(whole);
}

std::vector<std::string> all_of_chain(const std::vector<Snapshot>& all, const Chain& chain) {
  return Planner{all, chain, 1}.all_of_it();
}

bool is_own_tag(const std::string& tag) { return tag.starts_with("vmvault-"); }

}  // namespace restic
