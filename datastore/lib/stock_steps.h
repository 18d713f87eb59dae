// SPDX-License-Identifier: Apache-2.0
// The steps of a backup that OpenNebula's own drivers run: Ruby programs, of which no file tells.
#pragma once

#include <string>
#include <vector>

#include "common/one/location.h"

namespace datastore {

// Whose backup: as the core says it to backup_cancel (contract 2.6).
struct Deployed {
  Location location;
  std::string deploy_id;
  int vm_id = -1;
};

// Is this the command line of the prebackup or backup of this very VM?  That of a postbackup, or of
// a VM whose directory only begins alike, is not (W18, W19).
bool is_stock_step(const std::vector<std::string>& argv, const Deployed& vm);

// SIGTERM to those that run; how many there were.  Throws Error when one must not be signalled.
int stop_stock_steps(const Deployed& vm);

}  // namespace datastore
