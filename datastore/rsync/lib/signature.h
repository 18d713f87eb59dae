// SPDX-License-Identifier: Apache-2.0
// The librsync signature of a file, block by block.
//
// As a file ("rsig.<disk>.<increment>") it is what `rdiff signature` writes, in blocks of
// block_size_for(), with the sums named below: rdiff can use it.
#pragma once

#include <librsync.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/handle.h"

namespace rsync {

class Signature {
 public:
  static constexpr std::size_t header_size = 12, strong_size = 8, entry_size = 4 + strong_size;
  // A strong sum here only says where to look: what comes of it is held against a SHA-256.
  static constexpr rs_magic_number magic = RS_MD4_SIG_MAGIC;

  explicit Signature(std::uint64_t file_size);  // the entries are to be set
  // Of a file of so many bytes.  Throws Error for anything that is no signature of it.
  static Signature parse(std::string file, std::uint64_t file_size);
  static std::uint64_t size_for(std::uint64_t file_size);  // of the signature's own file

  // The entries of these blocks, of which only the file's last may be short.  Several threads may
  // set different ones.
  void compute(std::uint64_t first, std::span<const std::byte> bytes);
  void take(std::uint64_t block, const Signature& other, std::uint64_t from);

  const std::string& file() const { return file_; }

 private:
  Signature(std::uint64_t file_size, std::string file);

  std::uint32_t block_size_;
  std::string file_;
};

// librsync's search in the file of a signature.
class Search {
 public:
  explicit Search(const Signature& signature);

  // A librsync delta that makes `bytes` of that file; nullopt if it is not shorter by an eighth.
  std::optional<std::string> delta(std::span<const std::byte> bytes) const;

 private:
  Owned<rs_signature_t, rs_free_sumset> sums_;
};

}  // namespace rsync
