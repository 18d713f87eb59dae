// SPDX-License-Identifier: Apache-2.0
#include <endian.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "common/qcow2/plan.h"
#include "common/qcow2/stream.h"

namespace qcow2 {

void Plan::read_metadata(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > metadata_size() || out.size() > metadata_size() - offset)
    throw std::logic_error{"not in the metadata of the qcow2 file"};
  while (!out.empty()) {
    Page page{};
    const std::size_t skip = offset % sizeof page;
    const std::size_t count = std::min(sizeof page - skip, out.size());
    fill_page(offset - skip, page);
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(page.data()) + skip, count);
    offset += count;
    out = out.subspan(count);
  }
}

void Plan::fill_page(std::uint64_t offset, Page& page) const {
  if (offset >= layout_.l2_offset()) {
    fill_l2((offset - layout_.l2_offset()) / 8, page);
  } else if (offset >= layout_.refcount_blocks_offset()) {
    fill_refcounts((offset - layout_.refcount_blocks_offset()) / 2, page);
  } else if (offset >= layout_.refcount_table_offset()) {
    fill_refcount_table((offset - layout_.refcount_table_offset()) / 8, page);
  } else if (offset >= layout_.l1_offset()) {
    fill_l1((offset - layout_.l1_offset()) / 8, page);
  } else if (offset == 0) {
    const Header bytes = header(virtual_size_, layout_);
    std::memcpy(page.data(), bytes.data(), bytes.size());
  }
}

void Plan::fill_l1(std::uint64_t entry, Page& page) const {
  const std::uint64_t end = entry + page.size();
  auto run = std::partition_point(l2_runs_.begin(), l2_runs_.end(),
                                  [&](const L2Run& r) { return r.first + r.count <= entry; });
  for (; run != l2_runs_.end() && run->first < end; ++run)
    for (auto i = std::max(entry, run->first); i < std::min(end, run->first + run->count); ++i)
      page[i - entry] = htobe64(
          copied_bit | (layout_.l2_offset() + (run->before + i - run->first) * layout_.cluster));
}

void Plan::fill_refcount_table(std::uint64_t entry, Page& page) const {
  for (auto i = entry; i < std::min(entry + page.size(), layout_.refcount_blocks); ++i)
    page[i - entry] = htobe64(layout_.refcount_blocks_offset() + i * layout_.cluster);
}

void Plan::fill_refcounts(std::uint64_t entry, Page& page) const {
  constexpr std::uint64_t in_page = sizeof page / 2;
  const std::uint64_t used =
      layout_.total() > entry ? std::min(layout_.total() - entry, in_page) : 0;
  std::fill_n(page.begin(), used / 4, htobe64(0x0001'0001'0001'0001));
  // The last, partial word: the first counts are the high ones.
  if (used % 4 != 0)
    page[used / 4] = htobe64(0x0001'0001'0001'0001 & (~std::uint64_t{0} << (64 - 16 * (used % 4))));
}

void Plan::fill_l2(std::uint64_t entry, Page& page) const {
  const std::uint64_t cluster = layout_.cluster, l2_entries = layout_.l2_entries();
  const std::uint64_t table = entry / l2_entries;
  const auto run = std::prev(std::partition_point(
      l2_runs_.begin(), l2_runs_.end(), [&](const L2Run& r) { return r.before <= table; }));
  const std::uint64_t first =
      (run->first + table - run->before) * l2_entries + entry % l2_entries;  // guest's cluster
  const std::uint64_t end = first + page.size();

  auto extent = std::partition_point(extents_.begin(), extents_.end(),
                                     [&](const Extent& e) { return e.end() <= first * cluster; });
  for (; extent != extents_.end() && extent->offset < end * cluster; ++extent) {
    const std::uint64_t begins = extent->offset / cluster;
    const auto from = page.begin() + static_cast<std::ptrdiff_t>(std::max(first, begins) - first);
    const auto to = page.begin() + static_cast<std::ptrdiff_t>(
                                       std::min(end, clusters(extent->end(), cluster)) - first);
    if (extent->content == Content::zero) {
      std::fill(from, to, htobe64(zero_bit));
      continue;
    }
    std::uint64_t index = data_before_[static_cast<std::size_t>(extent - extents_.begin())] +
                          std::max(first, begins) - begins;
    for (auto at = from; at != to; ++at)
      *at = htobe64(copied_bit | (layout_.data_offset() + index++ * cluster));
  }
}

void write_metadata(const Plan& plan, const Sink& sink) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(plan.metadata_size(), 1 << 20));
  for (std::uint64_t at = 0; at < plan.metadata_size();) {
    const auto part =
        std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), plan.metadata_size() - at));
    plan.read_metadata(at, part);
    sink(part);
    at += part.size();
  }
}

}  // namespace qcow2
