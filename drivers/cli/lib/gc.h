// SPDX-License-Identifier: Apache-2.0
// vmvault gc: what stores have and no record knows.
#pragma once

#include "drivers/cli/lib/app.h"
#include "drivers/cli/lib/list.h"

namespace cli {

struct GcOptions {
  bool dry_run = false;  // nothing is removed
  Form form = Form::text;
};

// An Error when not everything could be looked at, or removed: notes have said what.
void gc(App& app, const GcOptions& options);

}  // namespace cli
