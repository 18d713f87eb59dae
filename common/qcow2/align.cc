// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/align.h"

#include <algorithm>
#include <string>

#include "common/error.h"
#include "common/qcow2/plan.h"

namespace qcow2 {
namespace {

class Aligner {
 public:
  Aligner(std::uint64_t virtual_size, std::uint64_t cluster)
      : virtual_size_{virtual_size}, cluster_size_{cluster} {}

  void add(const Extent& extent) {
    std::uint64_t at = extent.offset;
    while (at < extent.end()) {
      const std::uint64_t here = at - at % cluster_size_;
      const std::uint64_t whole_end = extent.end() - extent.end() % cluster_size_;
      const bool part = at != here || at >= whole_end;
      const std::uint64_t next = part ? std::min(here + cluster_size_, extent.end()) : whole_end;
      if (part) {
        add_part(here, next - at, extent.content);
      } else {
        flush();
        append(done_, {at, next - at, extent.content});
      }
      at = next;
    }
  }

  Extents finish() {
    flush();
    return std::move(done_);
  }

 private:
  void add_part(std::uint64_t cluster, std::uint64_t length, Content content) {
    if (covered_ == 0 || cluster != cluster_) flush();
    cluster_ = cluster;
    covered_ += length;
    data_ = data_ || content == Content::data;
  }

  void flush() {
    if (covered_ == 0) return;
    const std::uint64_t length = std::min(cluster_size_, virtual_size_ - cluster_);
    const bool all_zero = !data_ && covered_ == length;
    append(done_, {cluster_, length, all_zero ? Content::zero : Content::data});
    covered_ = 0;
    data_ = false;
  }

  std::uint64_t virtual_size_, cluster_size_;
  std::uint64_t cluster_ = 0;  // the one of which only parts have come so far
  std::uint64_t covered_ = 0;
  bool data_ = false;
  Extents done_;
};

}  // namespace

Extents aligned(std::uint64_t virtual_size, const Extents& extents, std::uint64_t cluster) {
  const auto most = largest_disk(cluster);
  if (virtual_size > most)
    throw Error{"cannot plan a qcow2 file: a disk of " + std::to_string(virtual_size) +
                " bytes is over the limit of " + std::to_string(most)};
  if (virtual_size % 512 != 0)
    throw Error{"cannot plan a qcow2 file: a disk of " + std::to_string(virtual_size) +
                " bytes is not of whole 512-byte sectors"};
  Aligner aligner{virtual_size, cluster};
  std::uint64_t last = 0;
  for (const Extent& extent : extents) {
    if (extent.offset < last || extent.offset > virtual_size ||
        extent.length > virtual_size - extent.offset)
      throw Error{"cannot plan a qcow2 file: the extent at " + std::to_string(extent.offset) +
                  " of " + std::to_string(extent.length) +
                  " bytes overlaps the one before or lies outside of the disk of " +
                  std::to_string(virtual_size) + " bytes"};
    last = extent.end();
    if (extent.content != Content::absent) aligner.add(extent);
  }
  return aligner.finish();
}

}  // namespace qcow2
