// SPDX-License-Identifier: Apache-2.0
// Checksums of a file by pieces: the SHA-256 of each 4 MiB, one after the other, and nothing else,
// so that their size follows from that of the file.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/handle.h"

namespace sums {

inline constexpr std::uint64_t piece_size = std::uint64_t{4} << 20;
inline constexpr std::size_t sum_size = 32;
using Sum = std::array<std::byte, sum_size>;

std::uint64_t pieces(std::uint64_t file_size);
std::uint64_t size(std::uint64_t file_size);  // of all sums, in bytes

// A running SHA-256.
class Hash {
 public:
  Hash();
  void add(std::span<const std::byte> bytes);
  Sum finish();        // and begins anew
  Sum so_far() const;  // and goes on

 private:
  Owned<EVP_MD_CTX, EVP_MD_CTX_free> context_;
};

// A file as it comes, in order.
class Pieces {
 public:
  using OnSum = std::function<void(std::uint64_t piece, const Sum& sum)>;
  explicit Pieces(OnSum on_sum) : on_sum_{std::move(on_sum)} {}
  void add(std::span<const std::byte> bytes);
  void finish();  // the last piece may be short
  std::uint64_t seen() const { return seen_; }

 private:
  OnSum on_sum_;
  Hash hash_;
  std::uint64_t seen_ = 0;
};

// The sums of a file as it comes.
class Writer {
 public:
  void add(std::span<const std::byte> bytes) { pieces_.add(bytes); }
  std::string finish();

 private:
  std::string sums_;
  Pieces pieces_{[this](std::uint64_t, const Sum& sum) {
    sums_.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  }};
};

// Holds a file against its sums, as it comes.
class Check {
 public:
  explicit Check(std::string sums) : sums_{std::move(sums)} {}
  void add(std::span<const std::byte> bytes) { pieces_.add(bytes); }
  void finish() { pieces_.finish(); }
  // The numbers of the pieces that are not what they were, as far as the file has come.
  const std::vector<std::uint64_t>& wrong() const { return wrong_; }

 private:
  void compare(std::uint64_t piece, const Sum& sum);

  std::string sums_;
  std::vector<std::uint64_t> wrong_;
  Pieces pieces_{[this](std::uint64_t piece, const Sum& sum) { compare(piece, sum); }};
};

// The sums of a file that others read, as they like; for several threads.
class Table {
 public:
  explicit Table(std::uint64_t file_size) : file_size_{file_size} {}

  // Somebody was given these bytes of the file.  A piece that is read from its begin to its end
  // is known from then on, also if others read in between.
  void saw(std::uint64_t offset, std::span<const std::byte> bytes);
  void put(std::uint64_t piece, const Sum& sum);
  std::optional<Sum> find(std::uint64_t piece) const;
  std::optional<std::string> all() const;  // nullopt if one is missing

 private:
  struct Begun {
    std::uint64_t piece;
    std::uint64_t next;  // offset in the file of the first byte that is not in the hash
    Hash hash;
  };
  std::uint64_t end_of(std::uint64_t piece) const;
  bool known(std::uint64_t piece) const;
  void store(std::uint64_t piece, const Sum& sum);
  void add(std::uint64_t piece, std::uint64_t offset, std::span<const std::byte> bytes);

  const std::uint64_t file_size_;
  mutable std::mutex mutex_;
  std::vector<std::optional<Sum>> sums_;  // as far as one is known
  std::list<Begun> begun_;                // the latest at the end
};

}  // namespace sums
