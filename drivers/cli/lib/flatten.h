// SPDX-License-Identifier: Apache-2.0
// vmvault flatten: the oldest increments of an image become one.
#pragma once

#include "drivers/cli/lib/app.h"

namespace cli {

// All but the last `keep` - 1 of them.  Nothing if there are no more than `keep`.
void flatten(App& app, int image, int keep);

}  // namespace cli
