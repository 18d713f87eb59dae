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

Segments overlay(const Segments& below, const Plan& plan, std::size_t file) {
  Segments result;
  Below rest{below};
  std::uint64_t at = 0;
  for (const Extent& extent : plan.extents()) {
    rest.move(at, extent.offset, result);
    if (extent.content == Content::data) result.push_back({extent.offset, extent.length, file});
    at = extent.end();
  }
  // What lay beyond the end of this file's disk is gone, also for a later, larger one.
  rest.move(at, plan.virtual_size(), result);
  return result;
}

}  // namespace qcow2
