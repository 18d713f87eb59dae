// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/plan.h"

#include <algorithm>
#include <stdexcept>

#include "common/qcow2/align.h"

namespace qcow2 {

Plan::Plan(std::uint64_t virtual_size, const Extents& extents, std::uint64_t cluster)
    : virtual_size_{virtual_size}, extents_{aligned(virtual_size, extents, cluster)} {
  const std::uint64_t l2_entries = Layout{.cluster = cluster}.l2_entries();
  std::uint64_t data = 0;
  data_before_.reserve(extents_.size());
  for (const Extent& extent : extents_) {
    const std::uint64_t count = clusters(extent.length, cluster);
    data_before_.push_back(data);
    (extent.content == Content::data ? data : zero_clusters_) += count;
    const std::uint64_t first = extent.offset / cluster;
    add_l2_tables(first / l2_entries, (first + count - 1) / l2_entries);
  }
  const std::uint64_t tables =
      l2_runs_.empty() ? 0 : l2_runs_.back().before + l2_runs_.back().count;
  layout_ = Layout::of(cluster, virtual_size, tables, data);
}

Plan Plan::of_exact(std::uint64_t virtual_size, const Extents& extents) {
  Plan large{virtual_size, extents};
  if (virtual_size > largest_disk(small_cluster_size)) return large;
  Plan small{virtual_size, extents, small_cluster_size};
  const bool scattered = large.data_bytes() > small.data_bytes() / 16 * 17;
  return scattered && small.file_size() < large.file_size() ? small : large;
}

void Plan::add_l2_tables(std::uint64_t first, std::uint64_t last) {
  if (l2_runs_.empty()) {
    l2_runs_.push_back({first, last - first + 1, 0});
    return;
  }
  L2Run& run = l2_runs_.back();
  if (first <= run.first + run.count)
    run.count = std::max(run.count, last - run.first + 1);
  else
    l2_runs_.push_back({first, last - first + 1, run.before + run.count});
}

std::uint64_t Plan::virtual_size() const { return virtual_size_; }
std::uint64_t Plan::file_size() const { return layout_.total() * layout_.cluster; }
std::uint64_t Plan::metadata_size() const { return layout_.data_offset(); }
std::uint64_t Plan::cluster() const { return layout_.cluster; }
std::uint64_t Plan::data_clusters() const { return layout_.data; }
std::uint64_t Plan::zero_clusters() const { return zero_clusters_; }
const Extents& Plan::extents() const { return extents_; }

Plan::Place Plan::place(std::uint64_t file_offset) const {
  if (file_offset < metadata_size() || file_offset >= file_size())
    throw std::logic_error{"no data of a qcow2 file lies at this offset"};
  const std::uint64_t into = file_offset - metadata_size();
  const std::uint64_t cluster = layout_.cluster;
  // Zero extents add nothing, so the last one that begins at or before is a data extent.
  const auto after = std::upper_bound(data_before_.begin(), data_before_.end(), into / cluster);
  const auto index = static_cast<std::size_t>(after - data_before_.begin() - 1);
  const Extent& extent = extents_[index];
  const std::uint64_t skipped = into - data_before_[index] * cluster;
  return {extent.offset + skipped, clusters(extent.length, cluster) * cluster - skipped};
}

}  // namespace qcow2
