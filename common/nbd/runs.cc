// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/runs.h"

#include <algorithm>

#include "common/nbd/shares.h"

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
  Shares data{map.size}, clean_data{map.size}, dirt{map.size};
  std::size_t z = 0, d = 0;
  for (std::uint64_t at = 0; at < map.size;) {
    const std::uint64_t end = std::min(zeros[z].end, dirty ? (*dirty)[d].end : map.size);
    const bool* is_dirty = dirty ? &(*dirty)[d].set : nullptr;
    const bool clean = is_dirty && !*is_dirty;
    if (!clean) {
      map.dirty_bytes += end - at;
      dirt.add(at, end - at);
    }
    if (!zeros[z].set) data.add(at, end - at);
    if (!zeros[z].set && clean) clean_data.add(at, end - at);
    const auto what = content(zeros[z].set, is_dirty, base);
    if (what != qcow2::Content::absent) append(map.extents, {at, end - at, what});
    if (zeros[z].end == end) ++z;
    if (dirty && (*dirty)[d].end == end) ++d;
    at = end;
  }
  map.data = data.take();
  map.clean_data = clean_data.take();
  map.dirty = dirt.take();
  return map;
}

bool was_smaller(const std::vector<std::uint64_t>& data, const Map& now) {
  if (data.empty() || data.size() != now.clean_data.size()) return false;
  std::size_t first = 0;
  while (first < data.size() && data[first] <= now.clean_data[first] + now.dirty[first]) ++first;
  return first < data.size() &&
         std::all_of(now.clean_data.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                     now.clean_data.end(), [](auto bytes) { return bytes == 0; });
}

}  // namespace nbd
