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

Edges allocated(const Runs& holes) {
  Edges out{0, 0};
  std::uint64_t at = 0;
  for (const auto& [end, is_hole] : holes.get()) {
    if (!is_hole) append(out, at, end);
    at = end;
  }
  if (const auto count = out.size(); count > 2 * most_pieces)
    out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(2 * most_pieces));
  return out;
}

bool was_smaller(const Edges& data, const Map& now) {
  if (data.empty() || now.data.empty()) return false;
  // qemu copies 64 KiB of what a guest is about to overwrite: where holes were in that is data
  // then.
  constexpr std::uint64_t most_beside = 128 << 10;
  Edges changed{0, 0};  // with a bitmap all that is dirty is in the extents, and nothing else
  for (const auto& extent : now.extents) append(changed, extent.offset, extent.end());
  Along before{data}, after{now.data}, dirty{changed};
  bool lost = false;  // behind the last clean data; below, file systems find holes
  for (auto at = std::max(data.front(), now.data.front()); at < now.size;) {
    const bool was = before.at(at), is = after.at(at), clean = !dirty.at(at);
    const auto end = std::min(
        {before.change(at, now.size), after.change(at, now.size), dirty.change(at, now.size)});
    if (clean && is && !was && end - at > most_beside) return true;
    if (clean) lost = !is && (lost || was);
    at = end;
  }
  return lost;
}

}  // namespace nbd
