// SPDX-License-Identifier: Apache-2.0
// How the new version of a file is made of the old one: a decision, without any input or output.
//
// Disk images change in place, and our files of them move by whole clusters.  So each aligned block
// is looked for by its hash: where the one before it was found, at its own place, then anywhere.
// Only in long runs that are nowhere does librsync search, by the byte, for as long as that brings
// something.  All of this may be wrong (hashes collide, tables come from elsewhere): the result has
// to be held against a checksum of the whole file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datastore/rsync/lib/blocks.h"
#include "datastore/rsync/lib/signature.h"

namespace rsync {

// The file, in order, as what it is made of.
class Frames {
 public:
  Frames() = default;
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;
  virtual ~Frames() = default;
  virtual void zeros(std::uint64_t length) = 0;
  virtual void copy(std::uint64_t from, std::uint64_t length) = 0;  // of the old version
  virtual void data(std::span<const std::byte> bytes) = 0;
  // A whole librsync delta, and what it makes.
  virtual void patch(std::string_view delta, std::span<const std::byte> result) = 0;
};

// The next bytes of a file: whole blocks, unless they are the last.
struct Piece {
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
  std::span<const BlockHash> hashes;  // of its blocks
};

// Neighbouring blocks of the new version, and where they are in the old one.
struct BlockRun {
  std::uint64_t first = 0, count = 0;
  std::optional<std::uint64_t> from;  // nullopt: nowhere
  bool operator==(const BlockRun&) const = default;
};

// Appends, joined with the last one where one goes on in the other.
void append(std::vector<BlockRun>& runs, const BlockRun& next);

// What is known of the old version.  Without hashes of blocks of the same size, librsync has to
// find everything; with nothing at all, everything is new.
struct Known {
  const Blocks* blocks = nullptr;
  const Signature* signature = nullptr;
};

class Delta {
 public:
  static constexpr std::uint64_t shortest_search = 192 << 10;  // three clusters
  static constexpr std::int64_t search_in_vain = 64 << 20;     // so much, then no more

  Delta(std::uint64_t file_size, const Known& known, Frames& out);

  // Returns what its blocks are.  A frame may be held back until the next call.
  std::vector<BlockRun> add(const Piece& piece);
  void finish();

 private:
  std::optional<std::uint64_t> find(std::uint64_t block, const BlockHash& hash);
  bool is_at(std::uint64_t block, std::int64_t shift, const BlockHash& hash) const;
  void give_zeros(std::uint64_t length);
  void give_copy(std::uint64_t from, std::uint64_t length);
  void give_unknown(std::span<const std::byte> bytes);
  std::optional<std::string> search(std::span<const std::byte> bytes);
  void give_held();

  const std::uint32_t block_size_;
  const BlockHash zero_block_;
  const Known known_;
  Frames& out_;
  std::int64_t shift_ = 0;  // of the block found last, in blocks
  std::optional<Search> search_;
  std::int64_t search_for_ = search_in_vain;
  struct Held {
    std::optional<std::uint64_t> from;  // nullopt: zeros
    std::uint64_t length = 0;
  } held_;
};

// A file of one entry per block, given as the changes of the old version's.
void give_entries(const std::string& file, std::size_t header_size, std::size_t entry_size,
                  const std::vector<BlockRun>& runs, Frames& out);

}  // namespace rsync
