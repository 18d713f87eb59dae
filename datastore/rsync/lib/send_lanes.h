// SPDX-License-Identifier: Apache-2.0
// Work that goes on side by side, and ends together.
#pragma once

#include <functional>
#include <vector>

namespace rsync {

// Runs the first in this thread and each of the others in one of its own, until all have ended.
// When one throws, `stop` is called, once, so that the others end soon.  What it throws then is the
// reason of all: Cancelled before what was refused, that before Lost, and Stopped last.
void side_by_side(const std::vector<std::function<void()>>& lanes,
                  const std::function<void()>& stop);

}  // namespace rsync
