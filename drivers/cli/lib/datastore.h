// SPDX-License-Identifier: Apache-2.0
// vmvault datastore add, create and delete: where backups can go.
#pragma once

#include <string>
#include <vector>

#include "drivers/cli/lib/app.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/list.h"
#include "drivers/lib/backup_datastores.h"

namespace cli {

struct NewDatastore {
  std::string kind;                     // rsync
  std::string place;                    // HOST:DIR
  std::string name;                     // empty: the place
  std::vector<std::string> attributes;  // NAME=VALUE
};

using Attributes = state::BackupDatastores::Attributes;

// Adds it when its driver's monitor answers: its id.
int add_datastore(App& app, const Attributes& attributes);
// The same, and says so.
void add_datastore(App& app, const NewDatastore& wanted);

// Where no service runs.  An Error, saying why, when it is still used.
void remove_datastore(App& app, int id);

// Which one a backup goes to: the one asked for, else the setting DATASTORE, else the embedded one.
// BadRequest, naming it, for one that is not known.
int chosen_datastore(const App& app, std::optional<int> asked);

}  // namespace cli
