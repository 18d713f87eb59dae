// SPDX-License-Identifier: Apache-2.0
// Where the next backup of a machine goes (contract 1.5 and 4.10).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/one/vm.h"
#include "drivers/lib/records.h"

namespace state {

struct NextBackup {
  std::optional<int> image;  // none: a new one
  int last_increment = -1;   // LAST_INCREMENT_ID; the increment's own number is one more
  std::string why;           // why a chain that was there is not continued; empty if it is

  int increment() const { return last_increment + 1; }
};

struct Wish {
  Mode mode = Mode::increment;  // what the disks allow
  std::vector<int> disks;
  int datastore = -1;
  int owner = 0;      // the machine's
  bool full = false;  // a new chain is asked for
};

// `active` is the machine's active chain, if it has one.
NextBackup next_backup(const std::optional<ImageRecord>& active, const Wish& wish);

}  // namespace state
