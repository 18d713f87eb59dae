// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/delta.h"

#include <algorithm>

namespace rsync {
namespace {

// What a byte that was found is worth in bytes that may be searched in vain.
constexpr std::int64_t worth = 16;

BlockHash hash_of_zeros(std::uint32_t size) { return hash_block(std::vector<std::byte>(size)); }

const Blocks* of_same_blocks(const Blocks* blocks, std::uint32_t block_size) {
  return blocks && blocks->block_size() == block_size ? blocks : nullptr;
}

}  // namespace

void append(std::vector<BlockRun>& runs, const BlockRun& next) {
  const auto goes_on = [&](const BlockRun& last) {
    return last.first + last.count == next.first &&
           (last.from ? next.from && *last.from + last.count == *next.from : !next.from);
  };
  if (!runs.empty() && goes_on(runs.back()))
    runs.back().count += next.count;
  else
    runs.push_back(next);
}

Delta::Delta(std::uint64_t file_size, const Known& known, Frames& out)
    : block_size_{block_size_for(file_size)},
      zero_block_{hash_of_zeros(block_size_)},
      known_{of_same_blocks(known.blocks, block_size_), known.signature},
      out_{out} {}

std::vector<BlockRun> Delta::add(const Piece& piece) {
  std::vector<BlockRun> runs;
  const auto first = piece.offset / block_size_;
  std::size_t unknown = 0, at = 0;  // the first of those that wait, and the next
  for (std::size_t n = 0; n < piece.hashes.size(); ++n) {
    const auto block =
        piece.bytes.subspan(at, std::min<std::size_t>(block_size_, piece.bytes.size() - at));
    const auto& hash = piece.hashes[n];
    const bool zeros = (hash == zero_block_ || block.size() < block_size_) && is_zero(block);
    // Zeros need no search: they are shorter said than found.
    const auto from = !zeros ? find(first + n, hash)
                      : is_at(first + n, shift_, hash)
                          ? std::optional{first + n + static_cast<std::uint64_t>(shift_)}
                          : std::nullopt;
    append(runs, {first + n, 1, from});
    if (zeros || from) {
      give_unknown(piece.bytes.subspan(unknown, at - unknown));
      unknown = at + block.size();
    }
    if (zeros)
      give_zeros(block.size());
    else if (from)
      give_copy(*from * block_size_, block.size());
    at += block.size();
  }
  give_unknown(piece.bytes.subspan(unknown, at - unknown));
  return runs;
}

void Delta::finish() { give_held(); }

bool Delta::is_at(std::uint64_t block, std::int64_t shift, const BlockHash& hash) const {
  const auto from = block + static_cast<std::uint64_t>(shift);  // far beyond the end if negative
  return known_.blocks && from < known_.blocks->count() && known_.blocks->at(from) == hash;
}

std::optional<std::uint64_t> Delta::find(std::uint64_t block, const BlockHash& hash) {
  if (!known_.blocks) return std::nullopt;
  if (!is_at(block, shift_, hash)) {
    if (is_at(block, 0, hash)) {
      shift_ = 0;
    } else {
      const auto found = known_.blocks->find(hash);
      if (!found) return std::nullopt;
      shift_ = static_cast<std::int64_t>(*found - block);
    }
  }
  return block + static_cast<std::uint64_t>(shift_);
}

void Delta::give_zeros(std::uint64_t length) {
  if (held_.from) give_held();
  held_.length += length;
}

void Delta::give_copy(std::uint64_t from, std::uint64_t length) {
  if (!held_.from || *held_.from + held_.length != from) {
    give_held();
    held_.from = from;
  }
  held_.length += length;
}

void Delta::give_unknown(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  give_held();
  if (const auto delta = search(bytes))
    out_.patch(*delta, bytes);
  else
    out_.data(bytes);
}

std::optional<std::string> Delta::search(std::span<const std::byte> bytes) {
  if (!known_.signature || bytes.size() < shortest_search || search_for_ <= 0) return std::nullopt;
  if (!search_) search_.emplace(*known_.signature);
  auto delta = search_->delta(bytes);
  const auto size = static_cast<std::int64_t>(bytes.size());
  search_for_ -= size;
  if (delta)
    search_for_ = std::min(search_in_vain,
                           search_for_ + worth * (size - static_cast<std::int64_t>(delta->size())));
  return delta;
}

void Delta::give_held() {
  const auto held = std::exchange(held_, {});
  if (held.length == 0) return;
  if (held.from)
    out_.copy(*held.from, held.length);
  else
    out_.zeros(held.length);
}

void give_entries(const std::string& file, std::size_t header_size, std::size_t entry_size,
                  const std::vector<BlockRun>& runs, Frames& out) {
  const auto bytes = std::as_bytes(std::span{file});
  out.data(bytes.first(header_size));
  for (const auto& run : runs) {
    const auto length = run.count * entry_size;
    if (run.from)
      out.copy(header_size + *run.from * entry_size, length);
    else
      out.data(bytes.subspan(header_size + run.first * entry_size, length));
  }
}

}  // namespace rsync
