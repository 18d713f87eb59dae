// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/overlay.h"

#include <algorithm>

namespace qcow2 {
namespace {

// Gives what lies below out in order, piece by piece.
class Below {
 public:
  explicit Below(const Segments& segments) : segments_{segments} {}

  // The parts in [from, to) go to `result`; later calls ask for what lies behind.
  void move(std::uint64_t from, std::uint64_t to, Segments& result) {
    if (from == to) return;
    while (next_ < segments_.size() && segments_[next_].end() <= from) ++next_;
    for (; next_ < segments_.size() && segments_[next_].offset < to; ++next_) {
      const Segment& segment = segments_[next_];
      const std::uint64_t begin = std::max(from, segment.offset);
      const std::uint64_t end = std::min(to, segment.end());
      result.push_back({begin, end - begin, segment.file});
      if (segment.end() > to) return;
    }
  }

 private:
  const Segments& segments_;
  std::size_t next_ = 0;
};

}  // namespace

Segments overlay(const Segments& below, const Extents& extents, std::uint64_t virtual_size,
                 std::size_t file) {
  Segments result;
  Below rest{below};
  std::uint64_t at = 0;
  for (const Extent& extent : extents) {
    rest.move(at, extent.offset, result);
    if (extent.content == Content::data) result.push_back({extent.offset, extent.length, file});
    at = extent.end();
  }
  // What lay beyond the end of this file's disk is gone, also for a later, larger one.
  rest.move(at, virtual_size, result);
  return result;
}

Extents hidden(const Segments& segments, Extents extents, std::uint64_t virtual_size) {
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.offset < b.offset; });
  Extents result;
  auto segment = segments.begin();
  std::uint64_t at = 0;  // what is before has been seen
  for (const Extent& extent : extents) {
    const auto end = std::min(extent.end(), virtual_size);
    for (at = std::max(at, extent.offset); at < end;) {
      while (segment != segments.end() && segment->end() <= at) ++segment;
      const bool over = segment == segments.end();
      if (!over && segment->offset <= at) {
        at = segment->end();
        continue;
      }
      const auto until = over ? end : std::min(end, segment->offset);
      append(result, {at, until - at, Content::zero});
      at = until;
    }
  }
  return result;
}

}  // namespace qcow2
