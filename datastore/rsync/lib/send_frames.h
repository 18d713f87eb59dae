// SPDX-License-Identifier: Apache-2.0
// The frames of one file, from where the server has it on.
#pragma once

#include <cstdint>
#include <functional>

#include "datastore/rsync/lib/delta.h"
#include "datastore/rsync/lib/wire.h"

namespace rsync {

// What a file, or several, were sent as, in bytes of the file.
struct Counts {
  std::uint64_t data = 0, copied = 0, patched = 0, zeros = 0;
  std::uint64_t skipped = 0;  // the server had it of an upload that was cut off

  Counts& operator+=(const Counts& other);
};

class FrameWriter : public Frames {
 public:
  // Nothing is sent of the bytes before `from`.  `begin` is called before the first byte after
  // them is, or by finish().  `level`: zlib's; 0: nothing is compressed.
  FrameWriter(Wire& wire, std::uint64_t from, int level, std::function<void()> begin)
      : wire_{wire}, from_{from}, level_{level}, begin_{std::move(begin)} {}

  void zeros(std::uint64_t length) override;
  void copy(std::uint64_t from, std::uint64_t length) override;
  void data(std::span<const std::byte> bytes) override;
  void patch(std::string_view delta, std::span<const std::byte> result) override;
  void finish();

  const Counts& counts() const { return counts_; }

 private:
  std::uint64_t skip(std::uint64_t length);
  void send_data(std::span<const std::byte> bytes);

  Wire& wire_;
  const std::uint64_t from_;
  const int level_;
  std::function<void()> begin_;
  std::uint64_t position_ = 0;
  Counts counts_;
};

}  // namespace rsync
