// SPDX-License-Identifier: Apache-2.0
// Calls of LVM's programs: private to common/lvm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/command.h"
#include "common/lvm/volume.h"

namespace lvm {

// By sudo, if we are not root.  One that is cut off may leave a device suspended, so it has long to
// end, and a cancellation waits for it.
Command program(std::string_view name, const std::vector<std::string>& arguments,
                const Access& access);
// As ourselves.
Command plain_program(std::string_view name, const std::vector<std::string>& arguments,
                      const Access& access);

// What it says of its failure: the last line of this stderr that is no warning, or the last one.
std::string complaint(std::string_view stderr_text);
// Its stdout; an Error "cannot `doing`: ..." in its words.
std::string insist(const Command& command, const std::string& doing);

}  // namespace lvm
