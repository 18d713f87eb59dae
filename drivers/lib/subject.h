// SPDX-License-Identifier: Apache-2.0
// The domain that a command is about, as libvirt knows it now.
#pragma once

#include <string>
#include <vector>

#include "drivers/lib/guest.h"
#include "drivers/lib/hypervisor.h"
#include "drivers/lib/machine_files.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/store.h"

namespace guest {

struct Subject {
  Guest guest;
  bool running = false;
  std::vector<std::string> keeps;  // besides its disks
  std::vector<std::string> notes;  // for people: what a backup of it will not hold...
};

// By name, UUID or id.  Throws Error when libvirt knows none such, and for one that OpenNebula
// owns, unless `force`.
Subject find_subject(const std::string& uri, const std::string& domain, bool force,
                     Hypervisor::Where where = Hypervisor::Where::here);

// The same by its UUID, on any host: an Error if that describes another one.
Subject find_subject_at(const std::string& uri, const std::string& uuid);

// The disks with their ids, which a disk keeps for ever.  `mode`: increment if one of them can
// track its changes.
std::vector<messages::VmDisk> take_disks(state::Store& store, int vm, const Guest& guest,
                                         Mode& mode, const MachineFiles& files = MachineFiles{});

}  // namespace guest
