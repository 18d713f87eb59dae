// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/input.h"

#include <algorithm>

namespace qcow2 {

void Input::read(std::span<std::byte> out) {
  while (!out.empty()) {
    const std::size_t count = source_(out);
    if (count == 0 || count > out.size())
      throw error("the stream ends early, after " + std::to_string(position_) + " bytes");
    position_ += count;
    out = out.subspan(count);
  }
}

void Input::skip_to(std::uint64_t position) {
  if (position > position_) skipped_.resize(1 << 18);
  while (position_ < position)
    read(std::span{skipped_}.first(std::min<std::uint64_t>(skipped_.size(), position - position_)));
}

bool Input::at_end() {
  std::byte one;
  return source_({&one, 1}) == 0;
}

Error Input::error(const std::string& why) const {
  return Error{"cannot read '" + name_ + "': " + why};
}

Error Input::not_sequential(const std::string& why) const {
  return Error{"'" + name_ + "' is not a sequential qcow2 file: " + why};
}

}  // namespace qcow2
