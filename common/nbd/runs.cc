// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/runs.h"

#include <algorithm>

namespace nbd {

void Runs::add(std::uint64_t offset, std::span<const std::uint32_t> pairs) {
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (offset > end()) return;
    offset += pairs[i];
    const std::uint64_t stop = std::min(offset, size_);
    const bool set = counts_(pairs[i + 1]);
    if (stop <= end()) continue;
    if (!runs_.empty() && runs_.back().set == set)
      runs_.back().end = stop;
    else
      runs_.push_back({stop, set});
  }
}

namespace {

qcow2::Content content(bool zero, const bool* dirty, Base base) {
  if (dirty && !*dirty) return qcow2::Content::absent;
  if (!zero) return qcow2::Content::data;
  const bool shines_through = !dirty && base == Base::none;
  return shines_through ? qcow2::Content::absent : qcow2::Content::zero;
}

}  // namespace

Map combine(std::span<const Runs> answers, Base base) {
  Map map{.size = answers[0].size(), .dirty_bytes = 0, .extents = {}};
  const auto& zeros = answers[0].get();
  const auto* dirty = answers.size() > 1 ? &answers[1].get() : nullptr;
  std::size_t z = 0, d = 0;
  for (std::uint64_t at = 0; at < map.size;) {
    const std::uint64_t end = std::min(zeros[z].end, dirty ? (*dirty)[d].end : map.size);
    const bool* is_dirty = dirty ? &(*dirty)[d].set : nullptr;
    if (!is_dirty || *is_dirty) map.dirty_bytes += end - at;
    const auto what = content(zeros[z].set, is_dirty, base);
    if (what != qcow2::Content::absent) append(map.extents, {at, end - at, what});
    if (zeros[z].end == end) ++z;
    if (dirty && (*dirty)[d].end == end) ++d;
    at = end;
  }
  return map;
}

}  // namespace nbd
