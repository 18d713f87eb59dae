// SPDX-License-Identifier: Apache-2.0
// vmvault recover: what dead backups left is put right now, not when the next one begins.
#pragma once

#include <string>

#include "drivers/cli/lib/app.h"

namespace cli {

struct RecoverOptions {
  std::string domain;      // empty: all of this host
  bool foreign = false;    // also what another tool's backup left with it
  bool for_stock = false;  // and its layers as OpenNebula's own driver expects them
};

void recover(App& app, const RecoverOptions& options);

}  // namespace cli
