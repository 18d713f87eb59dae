// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/block_sum.h"

#include <algorithm>

#include "common/error.h"

namespace host {

void BlockSum::add(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset < next_) throw Error{"a disk does not come in order"};
  next_ = offset + bytes.size();
  while (!bytes.empty()) {
    if (offset / block_size != number_) {
      end_block();
      number_ = offset / block_size;
    }
    const auto into = offset % block_size;
    const auto n = std::min<std::uint64_t>(bytes.size(), block_size - into);
    std::copy_n(bytes.begin(), n, block_.begin() + static_cast<std::ptrdiff_t>(into));
    offset += n;
    bytes = bytes.subspan(n);
  }
}

void BlockSum::end_block() {
  const bool zero =
      std::all_of(block_.begin(), block_.end(), [](std::byte b) { return b == std::byte{0}; });
  if (zero) return;
  hash_.add(std::as_bytes(std::span{&number_, 1}));
  hash_.add(block_);
  block_.fill(std::byte{0});
}

sums::Sum BlockSum::finish() {
  end_block();
  return hash_.finish();
}

}  // namespace host
