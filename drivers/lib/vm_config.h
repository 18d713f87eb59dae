// SPDX-License-Identifier: Apache-2.0
// How a machine is backed up: BACKUP_CONFIG (contract 4.1), and vmvault's own keys beside it.
//
//   MODE = FULL | INCREMENT              INCREMENT_MODE = CBT
//   FS_FREEZE = NONE | AGENT | SUSPEND   BACKUP_VOLATILE = YES | NO   DISK_IDS = 0,2
//   KEEP_LAST, KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY
//   RPO (seconds), PRIORITY (0 to 99), DATASTORE_ID
//
// What is not set is as without it: increments where a disk can track its changes, a freeze by the
// agent where one is connected, all disks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/one/vm.h"
#include "drivers/lib/store.h"

namespace state {

// In their one form, without what the core keeps in there by itself; an empty value stays, and
// unsets.  BadRequest names what is unknown, or has no such value.
Store::Settings checked_config(const Store::Settings& config);
// The same for what jobs set of their machines (contract 5.7), and what datastores do (RPO,
// PRIORITY, KEEP_*): only these are taken out of `config`.
Store::Settings job_config(const Store::Settings& config);

struct VmConfig {
  std::optional<Mode> mode{};
  std::optional<Freeze> freeze{};
  std::vector<int> disks{};  // none: all
};
// Of checked settings.
VmConfig parse_config(const Store::Settings& checked);

// What counts for the machine now: its own, and over that what its job says (contract 5.9).
Store::Settings effective_config(const Store& store, int vm);

// Must the next backup begin a new chain, when `before` becomes `after` (contract 4.10)?  Another
// set of disks is found out by the backup itself.
bool resets_chain(const Store::Settings& before, const Store::Settings& after);

}  // namespace state
