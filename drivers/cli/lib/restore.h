// SPDX-License-Identifier: Apache-2.0
// vmvault restore: disks, and the domain that runs on them.
#pragma once

#include <filesystem>
#include <optional>

#include "drivers/cli/lib/app.h"

namespace cli {

struct RestoreOptions {
  int image = -1;
  std::filesystem::path to;
  std::optional<int> disk;       // only this one, and no domain.xml
  std::optional<int> increment;  // none: the last
};

void restore(App& app, const RestoreOptions& options);

}  // namespace cli
