// SPDX-License-Identifier: Apache-2.0
// A stream with a name and a position: private to common/qcow2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/qcow2/stream.h"

namespace qcow2 {

class Input {
 public:
  Input(Source source, std::string name) : source_{std::move(source)}, name_{std::move(name)} {}

  std::uint64_t position() const { return position_; }

  // All of `out`, or an Error.
  void read(std::span<std::byte> out);
  void skip_to(std::uint64_t position);
  bool at_end();  // reads a byte to know

  Error error(const std::string& why) const;           // "'name': why"
  Error not_sequential(const std::string& why) const;  // "'name' is no sequential qcow2 file: why"

 private:
  Source source_;
  std::string name_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> skipped_;
};

// Reads the metadata, and takes nothing in it on trust.  Throws Error.
Plan read_plan(Input& input);

}  // namespace qcow2
