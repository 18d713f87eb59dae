// SPDX-License-Identifier: Apache-2.0
// vmvault delete: an image, with all its increments.
#pragma once

#include "drivers/cli/lib/app.h"

namespace cli {

void remove(App& app, int image);

}  // namespace cli
