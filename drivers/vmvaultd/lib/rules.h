// SPDX-License-Identifier: Apache-2.0
// What is set for a machine: its own settings, else its datastore's, else the service's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/model.h"
#include "drivers/vmvaultd/lib/retention.h"

namespace vmvaultd {

struct Rules {
  Time rpo = 0;        // 0: it is not backed up by itself
  int datastore = -1;  // where to, if nobody says
  int priority = 50;
  Keep keep{};
};

// `usual` with what these settings say instead (vm_config.h).
Rules with(Rules usual, const state::Store::Settings& settings);

// MAX_BACKUPS as people write it; empty: none of its own.  BadRequest for what is no limit.
std::optional<int> checked_limit(const std::string& value);

// How backups may use a datastore: as its settings say, or in this window.
Datastore use_of(Datastore datastore, const state::Store::Settings& settings,
                 const std::optional<Window>& usual);

// All settings, read at once.
class RuleBook {
 public:
  RuleBook(const state::Store& store, const Rules& usual);
  // Of its datastore, or of that one.
  Rules of(int vm) const;
  Rules of(int vm, int datastore) const;
  const state::Store::Settings& of_datastore(int datastore) const;

 private:
  Rules usual_;
  std::map<int, state::Store::Settings> vms_, datastores_;
};

}  // namespace vmvaultd
