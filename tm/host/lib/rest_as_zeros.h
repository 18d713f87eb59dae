// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "common/qcow2/extent.h"

namespace host {

// Of a file that lies on top of another one and is meant to be whole: whoever reads what is absent
// would see the other one.
inline qcow2::Extents rest_as_zeros(const qcow2::Extents& extents, std::uint64_t size) {
  qcow2::Extents out;
  const auto fill = [&](std::uint64_t to) {
    const std::uint64_t at = out.empty() ? 0 : out.back().end();
    if (at < to) append(out, {at, to - at, qcow2::Content::zero});
  };
  for (const auto& one : extents) {
    fill(one.offset);
    append(out, one);
  }
  fill(size);
  return out;
}

}  // namespace host
