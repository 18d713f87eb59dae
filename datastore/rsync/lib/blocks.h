// SPDX-License-Identifier: Apache-2.0
// The hashes of a file's aligned blocks: enough to see, while its next version is read, which of
// its blocks are already there, where they were or elsewhere.
//
// As a file ("blocks.<disk>.<increment>"): a header of 32 bytes, then 16 bytes for each block, the
// last of which may be short.  Numbers are little endian.
//    0  "vmvblk1\n"
//    8  size of the file, 8 bytes
//   16  size of a block, 4 bytes
//   20  zeros
// A hash is XXH3's of 128 bits, its lower half first.  It is no proof: whoever relies on it checks
// the whole file by a stronger one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rsync {

struct BlockHash {
  std::uint64_t low = 0, high = 0;
  bool operator==(const BlockHash&) const = default;
};

BlockHash hash_block(std::span<const std::byte> block);
bool is_zero(std::span<const std::byte> bytes);

// 4 KiB; from 16 GiB on so that there are at most 4 Mi blocks, but not over 64 KiB, the unit in
// which the disks' files move, up to a file of 1 TiB.
std::uint32_t block_size_for(std::uint64_t file_size);

class Blocks {
 public:
  static constexpr std::size_t header_size = 32, entry_size = 16;

  explicit Blocks(std::uint64_t file_size);  // the hashes are to be set
  // Of a file of so many bytes.  Throws Error for anything that is no table of it.
  static Blocks parse(std::string file, std::uint64_t file_size);
  static std::uint64_t size_for(std::uint64_t file_size);  // of the table's own file

  std::uint64_t file_size() const { return file_size_; }
  std::uint32_t block_size() const { return block_size_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t length(std::uint64_t block) const;  // of the last one: what is left
  BlockHash at(std::uint64_t block) const;
  void set(std::uint64_t block, const BlockHash& hash);

  // A block of that hash, the first where there are several.  The first call costs a pass over all.
  std::optional<std::uint64_t> find(const BlockHash& hash) const;

  const std::string& file() const { return file_; }

 private:
  Blocks(std::uint64_t file_size, std::string file);
  std::uint32_t* slot_of(const BlockHash& hash) const;

  std::uint64_t file_size_;
  std::uint32_t block_size_;
  std::uint64_t count_;
  std::string file_;
  mutable std::vector<std::uint32_t> index_;  // number + 1; 0: free
};

}  // namespace rsync
