// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/blocks.h"

// Compiled in: the machine that sends needs no library for it.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "common/error.h"

static_assert(std::endian::native == std::endian::little);

namespace rsync {
namespace {

constexpr std::string_view magic{"vmvblk1\n"};
constexpr std::uint32_t smallest_block = 4096, common_block = 65536;
constexpr std::uint64_t few = std::uint64_t{4} << 20;    // blocks that cost nobody much
constexpr std::uint64_t most = std::uint64_t{16} << 20;  // and what a machine must bear
constexpr std::uint64_t longest_search = 32;

std::uint64_t count_for(std::uint64_t file_size, std::uint32_t block_size) {
  return file_size / block_size + (file_size % block_size != 0 ? 1 : 0);
}

std::string new_file(std::uint64_t file_size) {
  std::string file(Blocks::size_for(file_size), '\0');
  const auto block_size = block_size_for(file_size);
  std::memcpy(file.data(), magic.data(), magic.size());
  std::memcpy(file.data() + 8, &file_size, sizeof file_size);
  std::memcpy(file.data() + 16, &block_size, sizeof block_size);
  return file;
}

}  // namespace

BlockHash hash_block(std::span<const std::byte> block) {
  const auto hash = XXH3_128bits(block.data(), block.size());
  return {hash.low64, hash.high64};
}

bool is_zero(std::span<const std::byte> bytes) {
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::uint32_t block_size_for(std::uint64_t file_size) {
  std::uint32_t size = smallest_block;
  while (size < common_block && count_for(file_size, size) > few) size *= 2;
  while (size < (1U << 30) && count_for(file_size, size) > most) size *= 2;
  return size;
}

std::uint64_t Blocks::size_for(std::uint64_t file_size) {
  return header_size + count_for(file_size, block_size_for(file_size)) * entry_size;
}

Blocks::Blocks(std::uint64_t file_size) : Blocks{file_size, new_file(file_size)} {}

Blocks::Blocks(std::uint64_t file_size, std::string file)
    : file_size_{file_size},
      block_size_{block_size_for(file_size)},
      count_{count_for(file_size, block_size_)},
      file_{std::move(file)} {}

Blocks Blocks::parse(std::string file, std::uint64_t file_size) {
  // The header is the same for all tables of files of this size.
  if (file.size() != size_for(file_size) ||
      std::memcmp(file.data(), Blocks{file_size}.file_.data(), header_size) != 0)
    throw Error{"a table of blocks is not that of its file"};
  return {file_size, std::move(file)};
}

std::uint64_t Blocks::length(std::uint64_t block) const {
  return std::min<std::uint64_t>(block_size_, file_size_ - block * block_size_);
}

BlockHash Blocks::at(std::uint64_t block) const {
  BlockHash hash;
  std::memcpy(&hash, file_.data() + header_size + block * entry_size, entry_size);
  return hash;
}

void Blocks::set(std::uint64_t block, const BlockHash& hash) {
  std::memcpy(file_.data() + header_size + block * entry_size, &hash, entry_size);
}

// What a server has made up must not cost more than what it is: hashes that crowd one place are
// left out.
std::uint32_t* Blocks::slot_of(const BlockHash& hash) const {
  const auto mask = index_.size() - 1;
  for (std::uint64_t step = 0; step < longest_search; ++step) {
    auto& slot = index_[(hash.low + step) & mask];
    if (slot == 0 || at(slot - 1) == hash) return &slot;
  }
  return nullptr;
}

std::optional<std::uint64_t> Blocks::find(const BlockHash& hash) const {
  if (index_.empty()) {
    index_.assign(std::bit_ceil(count_ * 2 + 1), 0);
    for (std::uint64_t block = 0; block < count_; ++block)
      if (auto* slot = slot_of(at(block)); slot && *slot == 0)
        *slot = static_cast<std::uint32_t>(block + 1);
  }
  const auto* slot = slot_of(hash);
  if (!slot || *slot == 0) return std::nullopt;
  return *slot - 1;
}

}  // namespace rsync
