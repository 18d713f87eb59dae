// SPDX-License-Identifier: Apache-2.0
// The layout of a sequential qcow2 file, known before its first byte.
//
// Header, L1 table, refcount table, refcount blocks, L2 tables, then the data clusters in guest
// order, and nothing else: version 3, clusters of 64 KiB or of 4 KiB, 16-bit refcounts, no
// compression, no backing file name, no bitmaps.  Nothing has to be written twice, so the file can
// go down a pipe; a reader knows the whole map before the first data cluster arrives.  The same
// extents always give the same file.
//
// Format: docs/interop/qcow2.txt of the qemu sources (version 3).
//
// Metadata is computed when it is asked for and never held: a plan's memory grows with the number
// of extents, not with the size of the disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/qcow2/extent.h"
#include "common/qcow2/layout.h"

namespace qcow2 {

inline constexpr unsigned cluster_bits = 16;
inline constexpr std::uint64_t cluster_size = std::uint64_t{1} << cluster_bits;
// For an increment of scattered changes: what is beside them in a cluster need not be in the file.
inline constexpr unsigned small_cluster_bits = 12;
inline constexpr std::uint64_t small_cluster_size = std::uint64_t{1} << small_cluster_bits;

inline constexpr std::uint64_t max_virtual_size = std::uint64_t{1} << 50;  // 1 PiB
// With clusters of that size: 1 PiB, and 8 TiB with small ones, as qemu takes no larger L1 table.
constexpr std::uint64_t largest_disk(std::uint64_t cluster) {
  return cluster == cluster_size ? max_virtual_size : std::uint64_t{1} << 43;
}

class Plan {
 public:
  // `extents` need not be aligned to clusters: a cluster with any data, or with both zero and
  // absent parts, is a data cluster (its other parts must read as what they are).  Throws Error for
  // extents that overlap, do not ascend, or reach beyond `virtual_size`, and for a size over the
  // limit or not of whole 512-byte sectors (qemu knows no others).  `cluster` is one of the two
  // sizes.
  Plan(std::uint64_t virtual_size, const Extents& extents, std::uint64_t cluster = cluster_size);

  // Of an increment whose extents are exact.  With small clusters if large ones had more than a
  // sixteenth besides what has changed, and the tables do not need more than that saves.
  static Plan of_exact(std::uint64_t virtual_size, const Extents& extents);

  std::uint64_t virtual_size() const;
  std::uint64_t file_size() const;      // bytes, a multiple of the cluster size
  std::uint64_t metadata_size() const;  // bytes before the first data cluster
  std::uint64_t cluster() const;        // bytes
  std::uint64_t data_clusters() const;
  std::uint64_t data_bytes() const { return data_clusters() * cluster(); }
  std::uint64_t zero_clusters() const;

  // The plan's own extents: aligned to clusters (the last may end at the virtual size), neighbours
  // of the same content joined, absent ones left out.
  const Extents& extents() const;

  // The bytes [offset, offset + out.size()) of the metadata; the range must lie below
  // metadata_size(). Costs O(log extents + bytes), from any offset, without state.
  void read_metadata(std::uint64_t offset, std::span<std::byte> out) const;

  // Where in the guest's disk the data byte at `file_offset` (at or above metadata_size()) lies,
  // and how many bytes from there on are contiguous in both.  The last cluster may reach beyond
  // virtual_size(): what lies there is zeros in the file.
  struct Place {
    std::uint64_t guest_offset;
    std::uint64_t length;
  };
  Place place(std::uint64_t file_offset) const;

 private:
  using Page = std::array<std::uint64_t, 512>;  // big endian; never across two parts of the file
  struct L2Run {                                // neighbouring L1 entries that have a table
    std::uint64_t first;
    std::uint64_t count;
    std::uint64_t before;  // tables before this run
  };

  void add_l2_tables(std::uint64_t first, std::uint64_t last);
  void fill_page(std::uint64_t offset, Page& page) const;
  void fill_l1(std::uint64_t entry, Page& page) const;
  void fill_refcount_table(std::uint64_t entry, Page& page) const;
  void fill_refcounts(std::uint64_t entry, Page& page) const;
  void fill_l2(std::uint64_t entry, Page& page) const;

  std::uint64_t virtual_size_;
  std::uint64_t zero_clusters_ = 0;
  Extents extents_;
  std::vector<std::uint64_t> data_before_;  // data clusters before extents_[i]
  std::vector<L2Run> l2_runs_;
  Layout layout_;
};

}  // namespace qcow2
