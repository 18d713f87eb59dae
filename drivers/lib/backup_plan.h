// SPDX-License-Identifier: Apache-2.0
// What has to be decided and written down before a backup begins.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/one/vm.h"
#include "drivers/lib/home.h"
#include "drivers/lib/host_uri.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/store.h"
#include "drivers/lib/subject.h"

namespace state {

struct BackupWish {
  int datastore = -1;
  bool full = false;               // a new chain
  std::optional<Freeze> freeze{};  // none: by the agent, where one is connected
  std::int64_t now = 0;
  guest::HostUri host{};  // where the machine is
};

struct BackupPlan {
  Attempt attempt;       // not in the store yet
  std::string document;  // VMM_DRIVER_ACTION_DATA of the BACKUP, with the datastore's secrets
  std::string why_anew;  // why the chain that there is does not go on; empty if it does
  // Why the increment may hold everything; empty if nothing is known of that yet.
  std::string why_whole;
};

// The caller holds the machine's lock, and nothing of it is unfinished.
BackupPlan plan_backup(Store& store, const Home& home, int vm, const guest::Subject& subject,
                       const BackupWish& wish);

// The machine's directory on its host, with links to its disks; drivers know where libvirt is
// there.
std::filesystem::path prepare_dir(const Home& home, const VmRecord& vm, const guest::HostUri& host,
                                  const std::vector<messages::VmDisk>& disks);

}  // namespace state
