// SPDX-License-Identifier: Apache-2.0
// How much of each 256th of a disk something is true of: private to common/nbd.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace nbd {

class Shares {
 public:
  explicit Shares(std::uint64_t size) : length_{size / parts + 1}, bytes_(parts) {}

  void add(std::uint64_t offset, std::uint64_t length) {
    for (const std::uint64_t end = offset + length; offset < end;) {
      const auto share = offset / length_;
      const auto stop = std::min(end, (share + 1) * length_);
      bytes_[share] += stop - offset;
      offset = stop;
    }
  }
  std::vector<std::uint64_t> take() { return std::move(bytes_); }

 private:
  static constexpr std::size_t parts = 256;
  std::uint64_t length_;  // of a share; the last one may be shorter
  std::vector<std::uint64_t> bytes_;
};

}  // namespace nbd
