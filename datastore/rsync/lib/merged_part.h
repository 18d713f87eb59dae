// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "common/one/chain.h"

namespace rsync {

// What of a chain is read: from its last merged increment on, which stands for those before it;
// they may be gone already, while the core still knows them.
Chain from_last_merged(const Chain& chain,
                       const std::function<bool(const Increment& increment)>& is_merged);

}  // namespace rsync
