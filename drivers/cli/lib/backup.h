// SPDX-License-Identifier: Apache-2.0
// vmvault backup: one machine, now.
#pragma once

#include <optional>
#include <string>

#include "common/one/vm.h"
#include "drivers/cli/lib/app.h"

namespace cli {

struct BackupOptions {
  std::string domain;            // name, UUID or id
  bool full = false;             // begin a new chain
  bool force = false;            // also if OpenNebula owns the domain
  std::optional<Freeze> freeze;  // none: the agent if one is connected
  std::optional<int> datastore;  // none: the usual one
};

void backup(App& app, const BackupOptions& options);

}  // namespace cli
