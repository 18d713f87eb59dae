// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/layout.h"

#include <endian.h>

#include <bit>
#include <cstring>

namespace qcow2 {

std::uint64_t clusters(std::uint64_t bytes, std::uint64_t cluster) {
  return bytes / cluster + (bytes % cluster != 0 ? 1 : 0);
}

Layout Layout::of(std::uint64_t cluster, std::uint64_t virtual_size, std::uint64_t l2_tables,
                  std::uint64_t data) {
  Layout layout{.cluster = cluster};
  layout.l1_entries = clusters(clusters(virtual_size, cluster), layout.l2_entries());
  layout.l1 = clusters(layout.l1_entries * 8, cluster);
  layout.l2_tables = l2_tables;
  layout.data = data;
  for (;;) {
    const std::uint64_t blocks = clusters(layout.total() * 2, cluster);
    const std::uint64_t table = clusters(blocks * 8, cluster);
    if (blocks == layout.refcount_blocks && table == layout.refcount_table) return layout;
    layout.refcount_blocks = blocks;
    layout.refcount_table = table;
  }
}

std::uint64_t Layout::l1_offset() const { return cluster; }

std::uint64_t Layout::refcount_table_offset() const { return l1_offset() + l1 * cluster; }

std::uint64_t Layout::refcount_blocks_offset() const {
  return refcount_table_offset() + refcount_table * cluster;
}

std::uint64_t Layout::l2_offset() const {
  return refcount_blocks_offset() + refcount_blocks * cluster;
}

std::uint64_t Layout::data_offset() const { return l2_offset() + l2_tables * cluster; }

std::uint64_t Layout::total() const {
  return 1 + l1 + refcount_table + refcount_blocks + l2_tables + data;
}

Header header(std::uint64_t virtual_size, const Layout& layout) {
  Header bytes{};
  const auto put32 = [&](std::size_t at, std::uint64_t value) {
    const std::uint32_t big_endian = htobe32(static_cast<std::uint32_t>(value));
    std::memcpy(bytes.data() + at, &big_endian, sizeof big_endian);
  };
  const auto put64 = [&](std::size_t at, std::uint64_t value) {
    const std::uint64_t big_endian = htobe64(value);
    std::memcpy(bytes.data() + at, &big_endian, sizeof big_endian);
  };
  put32(0, 0x514649fb);  // "QFI\xfb"
  put32(4, 3);           // version
  put32(20, static_cast<std::uint64_t>(std::countr_zero(layout.cluster)));
  put64(24, virtual_size);
  put32(36, layout.l1_entries);
  put64(40, layout.l1_offset());
  put64(48, layout.refcount_table_offset());
  put32(56, layout.refcount_table);
  put32(96, 4);  // refcount order: 16 bits
  put32(100, bytes.size());
  return bytes;
}

}  // namespace qcow2
