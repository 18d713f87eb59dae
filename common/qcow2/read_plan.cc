// SPDX-License-Identifier: Apache-2.0
// The map of a stream, from tables that may lie.  Each table is held against the layout that
// follows from the ones before; in the end the whole front is held against the plan's.
#include <endian.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/qcow2/input.h"

namespace qcow2 {
namespace {

using Cluster = std::vector<std::byte>;

template <class Int>
Int load(std::span<const std::byte> bytes, std::uint64_t at) {
  Int value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  if constexpr (sizeof value == 2) return be16toh(value);
  if constexpr (sizeof value == 4) return be32toh(value);
  if constexpr (sizeof value == 8) return be64toh(value);
}

class Reader {
 public:
  explicit Reader(Input& input) : input_{input} {}

  Plan read() {
    read_header();
    read_tables();
    read_refcounts();
    read_l2_tables();
    const Plan plan{size_, extents_, layout_.cluster};
    compare(plan);
    return plan;
  }

 private:
  void insist(bool good, const char* why) const {
    if (!good) throw input_.not_sequential(why);
  }

  // Names the likely troubles; whatever else is wrong shows in compare().
  void read_header() {
    front_.resize(small_cluster_size);
    input_.read(front_);
    const auto at32 = [&](std::uint64_t at) { return load<std::uint32_t>(front_, at); };
    const auto at64 = [&](std::uint64_t at) { return load<std::uint64_t>(front_, at); };
    insist(at32(0) == 0x514649fb, "no qcow2 magic");
    insist(at32(4) == 3, "not version 3");
    insist(at64(8) == 0 && at32(16) == 0, "it has a backing file");
    insist(at32(20) == cluster_bits || at32(20) == small_cluster_bits,
           "its clusters are not of 64 KiB, nor of 4 KiB");
    const std::uint64_t cluster = std::uint64_t{1} << at32(20);
    insist(at32(32) == 0, "it is encrypted");
    insist(at32(60) == 0, "it has internal snapshots");
    insist(at64(72) == 0, "it has incompatible features (a data file, compression, or others)");
    insist(at64(80) == 0 && at64(88) == 0, "it has optional features");
    size_ = at64(24);
    insist(size_ <= largest_disk(cluster), "its disk is too large");
    insist(size_ % 512 == 0, "its disk is not of whole sectors");
    // No file of this disk has larger tables: nothing below is larger than these.
    most_ = Layout::of(cluster, size_, Layout::of(cluster, size_, 0, 0).l1_entries,
                       clusters(size_, cluster));
    insist(at32(36) == most_.l1_entries, "the size of its L1 table");
    insist(at32(56) >= 1 && at32(56) <= most_.refcount_table, "the size of its refcount table");
    layout_.cluster = cluster;
    layout_.l1_entries = most_.l1_entries;
    layout_.l1 = most_.l1;
    layout_.refcount_table = at32(56);
    cluster_.resize(cluster);
    front_.resize(cluster);
    input_.read(std::span{front_}.subspan(small_cluster_size));
  }

  void read_tables() {
    // Grows with what arrives, not with what the header says.
    while (front_.size() < layout_.refcount_blocks_offset()) {
      input_.read(cluster_);
      front_.insert(front_.end(), cluster_.begin(), cluster_.end());
    }
    for (std::uint64_t i = 0; i < layout_.l1_entries; ++i)
      if (l1(i) != 0) ++layout_.l2_tables;
    const std::uint64_t table = layout_.refcount_table_offset();
    for (std::uint64_t at = table; at < front_.size() && load<std::uint64_t>(front_, at) != 0;
         at += 8)
      ++layout_.refcount_blocks;
    insist(layout_.refcount_blocks <= most_.refcount_blocks, "too many refcount blocks");
  }

  std::uint64_t l1(std::uint64_t index) const {
    return load<std::uint64_t>(front_, layout_.l1_offset() + index * 8);
  }

  // Ones as far as the file goes, then zeros.
  void read_refcounts() {
    bool over = false;
    for (std::uint64_t block = 0; block < layout_.refcount_blocks; ++block) {
      input_.read(cluster_);
      for (std::uint64_t at = 0; at < cluster_.size(); at += 2) {
        const auto count = load<std::uint16_t>(cluster_, at);
        insist(count <= 1 && !(over && count != 0), "its refcounts");
        over = count == 0;
        if (!over) ++total_;
      }
    }
  }

  void read_l2_tables() {
    for (std::uint64_t i = 0; i < layout_.l1_entries; ++i) {
      if (l1(i) == 0) continue;
      input_.read(cluster_);
      read_l2_table(i * layout_.l2_entries());
    }
  }

  void read_l2_table(std::uint64_t first) {
    for (std::uint64_t i = 0; i < layout_.l2_entries(); ++i) {
      const auto entry = load<std::uint64_t>(cluster_, i * 8);
      if (entry == 0) continue;
      const std::uint64_t offset = (first + i) * cluster_.size();
      insist(offset < size_, "an L2 entry beyond the end of the disk");
      const bool zero = entry == zero_bit;
      const std::uint64_t next = layout_.data_offset() + data_ * cluster_.size();
      insist(zero || entry == (copied_bit | next), "its data is not in the order of the disk");
      if (!zero) ++data_;
      append(extents_, {offset, std::min<std::uint64_t>(cluster_.size(), size_ - offset),
                        zero ? Content::zero : Content::data});
    }
  }

  // The refcount blocks and L2 tables have been seen to be what these numbers and extents say.
  void compare(const Plan& plan) {
    insist(plan.file_size() == total_ * cluster_.size(), "the number of its refcounts");
    insist(plan.metadata_size() == input_.position(), "the number of its tables");
    for (std::uint64_t at = 0; at < front_.size(); at += cluster_.size()) {
      plan.read_metadata(at, cluster_);
      insist(std::equal(cluster_.begin(), cluster_.end(), front_.data() + at),
             "its header, L1 table or refcount table");
    }
  }

  Input& input_;
  Cluster cluster_;               // the one just read
  std::vector<std::byte> front_;  // header, L1 table, refcount table
  std::uint64_t size_ = 0;
  Layout most_;              // the bounds
  Layout layout_;            // what the tables say
  std::uint64_t total_ = 0;  // clusters, as the refcounts say
  std::uint64_t data_ = 0;   // clusters
  Extents extents_;
};

}  // namespace

Plan read_plan(Input& input) { return Reader{input}.read(); }

}  // namespace qcow2
