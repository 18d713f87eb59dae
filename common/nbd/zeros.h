// SPDX-License-Identifier: Apache-2.0
// Zeros that nobody has told of.
#pragma once

#include <chrono>
#include <memory>

#include "common/nbd/export.h"

namespace nbd {

// The extents of `map`, with zero instead of data where long stretches of data are zeros: a cluster
// more or less does not matter.  Reads less than a hundredth of the data in long extents, and what
// may be zero by that.  Throws Error, Cancelled.
qcow2::Extents without_zeros(const Export& source, const Map& map,
                             std::chrono::seconds deadline = std::chrono::seconds{120},
                             const std::shared_ptr<Limiter>& limiter = {});

}  // namespace nbd
