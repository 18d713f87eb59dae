// SPDX-License-Identifier: Apache-2.0
// The domain that a command is about, as libvirt knows it now.
#pragma once

#include <string>
#include <vector>

#include "drivers/cli/lib/app.h"
#include "drivers/lib/guest.h"
#include "drivers/lib/messages.h"

namespace cli {

struct Subject {
  guest::Guest guest;
  bool running = false;
  std::vector<std::string> keeps;  // besides its disks
};

// By name, UUID or id.  Notes which disks a backup of it will not hold.  Throws Error when libvirt
// knows none such, and for one that OpenNebula owns, unless `force`.
Subject find_subject(const App& app, const std::string& domain, bool force);

// The disks with their ids, which a disk keeps for ever.  `mode`: increment if one of them can
// track its changes.
std::vector<messages::VmDisk> take_disks(App& app, int vm, const guest::Guest& guest, Mode& mode);

}  // namespace cli
