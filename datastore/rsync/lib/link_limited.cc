// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_limited.h"

#include <algorithm>

namespace rsync {
namespace {

constexpr std::size_t at_once = 64 << 10;  // small, so that a slow link flows and does not burst

}  // namespace

void LimitedLink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), at_once));
    const auto moment = limiter_->admit(part.size());
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(moment - nbd::Limiter::Clock::now());
    if (left.count() > 0) patience_.wait({}, left);
    link_->write(part);
    bytes = bytes.subspan(part.size());
  }
}

}  // namespace rsync
