// SPDX-License-Identifier: Apache-2.0
// Writes a file from some place on, in order, without its zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/writeback.h"

namespace rsync {

enum class Zeros : std::uint8_t { left_out, written };

class SparseWriter {
 public:
  // The file has nothing behind `from`.  `name` is for messages.
  SparseWriter(int fd, std::string name, std::uint64_t from, Zeros zeros);

  // Throw Error, Full.
  void add(std::span<const std::byte> bytes);
  void add_zeros(std::uint64_t length);
  void finish();  // it has its size

 private:
  void write(std::uint64_t offset, std::span<const std::byte> bytes) const;

  const int fd_;
  const std::string name_;
  const Zeros zeros_;
  std::uint64_t written_;
  Writeback writeback_;
};

// Calls each(bytes) with zeros, in pieces.
template <class Each>
void in_zeros(std::uint64_t length, Each each) {
  static constexpr std::byte zeros[std::size_t{64} << 10]{};
  while (length != 0) {
    const auto count = length < sizeof zeros ? length : sizeof zeros;
    each(std::span<const std::byte>{zeros, count});
    length -= count;
  }
}

}  // namespace rsync
