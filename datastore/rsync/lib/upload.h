// SPDX-License-Identifier: Apache-2.0
// A backup directory becomes a directory on the server.
#pragma once

#include <filesystem>
#include <string>

#include "datastore/lib/machine.h"
#include "datastore/lib/selection.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

// What is sent, from where.
struct Cargo {
  const Machine& machine;
  std::filesystem::path directory;
  const Selection& selection;
  int vm = -1;
};

// Stores the files under this name: datastore/rsync/send does it, on that machine.  Throws Error:
// the name is not there, or nobody can say; Cancelled.
void upload(const Store& store, const Cargo& cargo, const std::string& name);

}  // namespace rsync
