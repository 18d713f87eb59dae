// SPDX-License-Identifier: Apache-2.0
// Extents of any shape to extents of whole clusters: private to common/qcow2.
#pragma once

#include <cstdint>

#include "common/qcow2/extent.h"

namespace qcow2 {

// Appends, joined with the last one where both touch and have the same content.
void append(Extents& extents, const Extent& next);

// As Plan::extents() promises.  Throws Error as Plan does.
Extents aligned(std::uint64_t virtual_size, const Extents& extents);

}  // namespace qcow2
