// SPDX-License-Identifier: Apache-2.0
// vmvault datastore prune: the space of deleted backups.
#pragma once

#include "drivers/cli/lib/app.h"
#include "drivers/lib/home.h"

namespace cli {

struct PruneOptions {
  int datastore = state::default_datastore;
  bool all = false;  // every repository, not only those that something was removed from
};

void prune(App& app, const PruneOptions& options);

}  // namespace cli
