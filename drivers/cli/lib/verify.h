// SPDX-License-Identifier: Apache-2.0
// vmvault verify: is a backup what was backed up?
#pragma once

#include <optional>

#include "drivers/cli/lib/app.h"
#include "drivers/cli/lib/list.h"

namespace cli {

struct VerifyOptions {
  int image = -1;
  std::optional<int> increment;  // it, and all that it needs; none: the last
  bool read_data = false;        // else only what costs little
};

// Prints what it finds, and notes it in the state.  Throws an Error that names increment, disk and
// offset of the first damage.
void verify(App& app, const VerifyOptions& options, Form form);

}  // namespace cli
