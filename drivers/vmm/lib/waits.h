// SPDX-License-Identifier: Apache-2.0
// Does the core still wait for the result of a backup?
#pragma once

#include <cstdint>

namespace front {

enum class Waits : int { yes = 0, no = 1, unknown = 2 };

// By the state of the VM (LCM_STATE 69 or 70).  A core that begins to run is asked again until it
// answers, for some minutes.  "Yes" takes a second, so that a request that is on its way comes
// first. Throws Cancelled.
Waits core_waits_for(std::int64_t vm_id);

}  // namespace front
