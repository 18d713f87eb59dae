// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/side_files.h"

#include <algorithm>

namespace rsync {

SideFiles::SideFiles(std::uint64_t file_size) : blocks_{file_size}, signature_{file_size} {}

void SideFiles::add_blocks(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  signature_.compute(next_, bytes);
  for (std::size_t at = 0; at < bytes.size(); at += blocks_.block_size())
    blocks_.set(next_++, hash_block(bytes.subspan(
                             at, std::min<std::size_t>(blocks_.block_size(), bytes.size() - at))));
}

void SideFiles::add(std::span<const std::byte> bytes) {
  const std::size_t block = blocks_.block_size();
  if (!begun_.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), block - begun_.size()));
    begun_.insert(begun_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (begun_.size() < block) return;
    add_blocks(begun_);
    begun_.clear();
  }
  const auto whole = bytes.first(bytes.size() - bytes.size() % block);
  add_blocks(whole);
  const auto rest = bytes.subspan(whole.size());
  begun_.assign(rest.begin(), rest.end());
}

void SideFiles::finish() { add_blocks(begun_); }

}  // namespace rsync
