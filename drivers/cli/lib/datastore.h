// SPDX-License-Identifier: Apache-2.0
// vmvault datastore add and list: where backups can go.
#pragma once

#include <string>
#include <vector>

#include "drivers/cli/lib/app.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/list.h"

namespace cli {

struct NewDatastore {
  std::string kind;                     // rsync
  std::string place;                    // HOST:DIR
  std::string name;                     // empty: the place
  std::vector<std::string> attributes;  // NAME=VALUE
};

// Adds it when its driver's monitor answers.
void add_datastore(App& app, const NewDatastore& wanted);

// Which one a backup goes to: the one asked for, else the setting DATASTORE, else the embedded one.
// BadRequest, naming it, for one that is not known.
int chosen_datastore(const App& app, std::optional<int> asked);

}  // namespace cli
