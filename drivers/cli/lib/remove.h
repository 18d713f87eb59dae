// SPDX-License-Identifier: Apache-2.0
// vmvault delete: an image, with all its increments.
#pragma once

#include "drivers/cli/lib/app.h"

namespace cli {

// `force`: it is gone here also when its datastore says no.
void remove(App& app, int image, bool force);

}  // namespace cli
