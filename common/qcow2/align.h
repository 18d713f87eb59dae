// SPDX-License-Identifier: Apache-2.0
// Extents of any shape to extents of whole clusters: private to common/qcow2.
#pragma once

#include <cstdint>

#include "common/qcow2/extent.h"

namespace qcow2 {

// As Plan::extents() promises.  Throws Error as Plan does.
Extents aligned(std::uint64_t virtual_size, const Extents& extents, std::uint64_t cluster);

}  // namespace qcow2
