// SPDX-License-Identifier: Apache-2.0
// What an upload by SFTP leaves beside its files, so that another process can go on: nobody over
// there could say what is right of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/sums.h"

namespace rsync {

// A sum of the begin of a file, which can be gone on from at each whole step without having seen
// what is before: the SHA-256 of each step together with the sum of those before it.
class PrefixSum {
 public:
  static constexpr std::uint64_t step = std::uint64_t{64} << 20;

  PrefixSum() = default;
  // Of so many bytes, a number of whole steps, with this sum.
  PrefixSum(std::uint64_t size, const std::string& sum);

  void add(std::span<const std::byte> bytes);
  std::uint64_t size() const { return size_; }
  std::string sum() const;  // of all so far, 64 hexadecimal digits

 private:
  std::uint64_t size_ = 0;
  std::uint64_t begun_ = 0;  // of the step
  sums::Hash hash_;
};

struct SftpNote {
  struct File {
    std::uint64_t size = 0;  // so many of its first bytes are on the server's disk
    std::string sum = {};    // PrefixSum's
    bool operator==(const File&) const = default;
  };
  std::string key = {};      // Upload::key
  std::uint64_t serial = 0;  // each is newer than the one before
  std::map<std::string, File> files = {};

  std::string encode() const;
  static std::optional<SftpNote> decode(std::string_view text);  // nullopt: it is none
};

}  // namespace rsync
