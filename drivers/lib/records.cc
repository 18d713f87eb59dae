// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/records.h"

#include <algorithm>

namespace state {

std::string to_text(ImageState state) {
  switch (state) {
    case ImageState::ready:
      return "READY";
    case ImageState::locked:
      return "LOCKED";
    case ImageState::deleting:
      return "DELETE";
    case ImageState::error:
      break;
  }
  return "ERROR";
}

const BackupRecord* ImageRecord::increment(int increment_id) const {
  const auto found = std::find_if(increments.begin(), increments.end(),
                                  [&](const auto& one) { return one.id == increment_id; });
  return found == increments.end() ? nullptr : &*found;
}

Chain ImageRecord::chain() const {
  std::vector<Increment> list;
  for (const auto& one : increments) list.push_back({.id = one.id, .source = one.source});
  return Chain{std::move(list)};
}

}  // namespace state
