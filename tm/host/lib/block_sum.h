// SPDX-License-Identifier: Apache-2.0
// A checksum of what a disk holds, whatever pieces it comes in and whichever zeros are left out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/sums.h"

namespace host {

class BlockSum {
 public:
  // Pieces must ascend.  Throws Error for one that does not.
  void add(std::uint64_t offset, std::span<const std::byte> bytes);
  sums::Sum finish();

 private:
  static constexpr std::uint64_t block_size = 4096;
  void end_block();

  sums::Hash hash_;
  std::array<std::byte, block_size> block_{};
  std::uint64_t number_ = 0;  // of the block
  std::uint64_t next_ = 0;    // what comes lies behind
};

}  // namespace host
