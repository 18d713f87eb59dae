// SPDX-License-Identifier: Apache-2.0
// Where the parts of a sequential file lie: private to common/qcow2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace qcow2 {

inline constexpr std::uint64_t copied_bit = std::uint64_t{1} << 63;  // refcount is exactly one
inline constexpr std::uint64_t zero_bit = 1;                         // of an L2 entry

// How many clusters of that size these bytes touch.
std::uint64_t clusters(std::uint64_t bytes, std::uint64_t cluster);

// All numbers are of clusters, except where the name says otherwise.
struct Layout {
  std::uint64_t cluster = 0;  // bytes, a power of two
  std::uint64_t l1_entries = 0;
  std::uint64_t l1 = 0;
  std::uint64_t refcount_table = 0;
  std::uint64_t refcount_blocks = 0;
  std::uint64_t l2_tables = 0;
  std::uint64_t data = 0;

  // The refcount blocks count themselves and their table: the smallest numbers that hold.
  static Layout of(std::uint64_t cluster, std::uint64_t virtual_size, std::uint64_t l2_tables,
                   std::uint64_t data);

  std::uint64_t l2_entries() const { return cluster / 8; }  // of a table
  std::uint64_t l1_offset() const;
  std::uint64_t refcount_table_offset() const;
  std::uint64_t refcount_blocks_offset() const;
  std::uint64_t l2_offset() const;
  std::uint64_t data_offset() const;
  std::uint64_t total() const;
};

using Header = std::array<std::byte, 104>;  // zeros follow
Header header(std::uint64_t virtual_size, const Layout& layout);

}  // namespace qcow2
