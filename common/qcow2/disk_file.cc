// SPDX-License-Identifier: Apache-2.0
// Format: docs/interop/qcow2.txt of the qemu sources.
#include "common/qcow2/disk_file.h"

#include <endian.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "common/qcow2/disk_header.h"

namespace qcow2 {
namespace {

constexpr std::uint64_t offset_mask = 0x00ff'ffff'ffff'fe00;  // of L1 entries and standard clusters
constexpr std::uint64_t compressed_bit = std::uint64_t{1} << 62;
constexpr std::uint64_t zero_flag = 1;
constexpr std::size_t most_tables = 16;  // held at the same time
constexpr int raw_deflate = -12;         // qemu's window

using Table = std::vector<std::uint64_t>;  // big endian

}  // namespace

struct DiskFile::State {
  State(ReadAt source, std::uint64_t size_of_file, std::string name_of_file, Behind behind)
      : read_at{std::move(source)},
        file_size{size_of_file},
        name{std::move(name_of_file)},
        header{read_header(read_at, file_size, name, behind)},
        l1(header.l1_entries) {
    read_bytes(header.l1_offset, std::as_writable_bytes(std::span{l1}));
    check_l1();
  }

  Error damaged(const char* what) const { return Error{"'" + name + "' is damaged: " + what}; }

  // What is beyond the end of the file reads as zeros: its last cluster may be short.
  void read_bytes(std::uint64_t offset, std::span<std::byte> out) const {
    const auto count = read_at(offset, out);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(count), out.end(), std::byte{0});
  }

  // A table that is named twice would make more work than the file has bytes.
  void check_l1() const {
    std::vector<std::uint64_t> offsets;
    for (const auto entry : l1)
      if (const auto offset = be64toh(entry) & offset_mask; offset != 0) offsets.push_back(offset);
    std::sort(offsets.begin(), offsets.end());
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const bool good = offsets[i] % header.cluster() == 0 && offsets[i] < file_size &&
                        header.cluster() <= file_size - offsets[i] &&
                        (i == 0 || offsets[i] != offsets[i - 1]);
      if (!good) throw damaged("an entry of its L1 table");
    }
  }

  Table load(std::uint64_t offset) const {
    Table table(header.l2_entries());
    read_bytes(offset, std::as_writable_bytes(std::span{table}));
    return table;
  }

  // nullptr: there is none.  Good until the next call.
  const Table* l2(std::uint64_t index) {
    const auto offset = be64toh(l1[index]) & offset_mask;
    if (offset == 0) return nullptr;
    const auto found = std::find_if(tables.begin(), tables.end(),
                                    [&](const auto& one) { return one.first == index; });
    if (found != tables.end()) {
      tables.splice(tables.begin(), tables, found);
    } else {
      tables.emplace_front(index, load(offset));
      if (tables.size() > most_tables) tables.pop_back();
    }
    return &tables.front().second;
  }

  Content content(std::uint64_t entry) const {
    if ((entry & compressed_bit) != 0) return Content::data;
    if (header.version >= 3 && (entry & zero_flag) != 0) return Content::zero;
    return (entry & offset_mask) == 0 ? Content::absent : Content::data;
  }

  std::uint64_t entry_of(std::uint64_t cluster) {
    const auto* table = l2(cluster / header.l2_entries());
    return table ? be64toh((*table)[cluster % header.l2_entries()]) : 0;
  }

  std::uint64_t standard(std::uint64_t entry) const {
    const auto offset = entry & offset_mask;
    if (offset % header.cluster() != 0 || offset >= file_size)
      throw damaged("a cluster beyond its end, or at an odd place");
    return offset;
  }

  // As much as lies in one piece in the file, beginning with the cluster of this entry.
  std::uint64_t run(std::uint64_t cluster, std::uint64_t entry, std::uint64_t bytes_wanted) {
    std::uint64_t bytes = header.cluster();
    for (auto next = standard(entry); bytes < bytes_wanted; bytes += header.cluster()) {
      next += header.cluster();
      const auto following = entry_of(++cluster);
      if (content(following) != Content::data || (following & compressed_bit) != 0 ||
          (following & offset_mask) != next || next >= file_size)
        break;
    }
    return bytes;
  }

  void inflate(std::uint64_t entry) {
    if (entry == inflated_entry) return;
    inflated_entry = 0;
    const unsigned shift = 62 - (header.bits - 8);
    const auto offset = entry & ((std::uint64_t{1} << shift) - 1);
    const auto sectors = (entry & (compressed_bit - 1)) >> shift;
    if (offset >= file_size) throw damaged("a compressed cluster beyond its end");
    std::vector<std::byte> packed((sectors + 1) * 512 - offset % 512);
    packed.resize(read_at(offset, packed));
    inflated.assign(header.cluster(), std::byte{0});
    z_stream stream{};
    if (inflateInit2(&stream, raw_deflate) != Z_OK) throw Error{"zlib has no memory"};
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(inflated.data());
    stream.avail_out = static_cast<uInt>(inflated.size());
    const int result = ::inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    // What follows in its last sector is not part of it.
    if ((result != Z_STREAM_END && result != Z_BUF_ERROR) || stream.avail_out != 0)
      throw damaged("a compressed cluster");
    inflated_entry = entry;
  }

  // From inside one cluster on; returns how much it filled.
  std::uint64_t read_some(std::uint64_t offset, std::span<std::byte> out) {
    const auto cluster = offset >> header.bits;
    const auto inside = offset & (header.cluster() - 1);
    const auto entry = entry_of(cluster);
    auto length = std::min<std::uint64_t>(out.size(), header.cluster() - inside);
    if (content(entry) != Content::data) {
      std::fill_n(out.begin(), length, std::byte{0});
    } else if ((entry & compressed_bit) != 0) {
      inflate(entry);
      std::copy_n(inflated.begin() + static_cast<std::ptrdiff_t>(inside), length, out.begin());
    } else {
      const auto in_one = run(cluster, entry, std::min(inside + out.size(), end_of(cluster)));
      length = std::min<std::uint64_t>(out.size(), in_one - inside);
      read_bytes(standard(entry) + inside, out.first(length));
    }
    return length;
  }

  // Bytes of the disk from the begin of this cluster on.
  std::uint64_t end_of(std::uint64_t cluster) const {
    return header.virtual_size - (cluster << header.bits);
  }

  const ReadAt read_at;
  const std::uint64_t file_size;
  const std::string name;
  const DiskHeader header;
  Table l1;
  std::list<std::pair<std::uint64_t, Table>> tables;  // the last used in front
  std::vector<std::byte> inflated;                    // the cluster of this entry
  std::uint64_t inflated_entry = 0;
};

DiskFile::DiskFile(ReadAt read, std::uint64_t file_size, std::string name, Behind behind)
    : state_{std::make_unique<State>(std::move(read), file_size, std::move(name), behind)} {}
DiskFile::DiskFile(DiskFile&&) noexcept = default;
DiskFile::~DiskFile() = default;

std::uint64_t DiskFile::virtual_size() const { return state_->header.virtual_size; }

Extents DiskFile::extents() {
  const auto& header = state_->header;
  Extents extents;
  for (std::uint64_t i = 0; i < header.l1_entries; ++i) {
    const auto* table = state_->l2(i);
    if (!table) continue;
    for (std::uint64_t j = 0; j < header.l2_entries(); ++j) {
      const auto offset = (i * header.l2_entries() + j) << header.bits;
      const auto content = state_->content(be64toh((*table)[j]));
      if (content == Content::absent || offset >= header.virtual_size) continue;
      append(extents, {offset, std::min(header.cluster(), header.virtual_size - offset), content});
    }
  }
  return extents;
}

void DiskFile::read(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > virtual_size() || out.size() > virtual_size() - offset)
    throw std::logic_error{"not on the disk of a qcow2 file"};
  while (!out.empty()) {
    const auto count = state_->read_some(offset, out);
    offset += count;
    out = out.subspan(count);
  }
}

}  // namespace qcow2
