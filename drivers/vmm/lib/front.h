// SPDX-License-Identifier: Apache-2.0
// Between the core and the stock VMM driver.
#pragma once

#include <string>
#include <vector>

#include "drivers/vmm/lib/backups.h"

namespace front {

struct Settings {
  std::vector<std::string> stock;  // the stock driver and its arguments
  std::optional<Backups::Places>
      backups;  // none: nothing is ours, every line goes to the stock driver
};

// Passes every line through, in both directions, and answers those that are ours, until the stock
// driver ends; its exit status.  When the core is gone, or sends us SIGTERM, the stock driver hears
// the same.  `ready` is called when the stock driver has started.  Throws Error when it cannot be.
int run(const Settings& settings, const std::function<void()>& ready);

}  // namespace front
