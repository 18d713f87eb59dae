// SPDX-License-Identifier: Apache-2.0
// A VM that is being started goes before a backup of its disks at rest (design.md 3.1).
#pragma once

#include <chrono>
#include <string_view>

namespace host {

// Ends the backups of this machine's user that hold a disk of the domain, which is being started:
// they fail, saying why.  Returns when its disks are free, or after `limit`; at once when there is
// no such backup.  Never asks libvirt, which waits for us.
void make_way(std::string_view domain_xml, std::chrono::milliseconds limit);

}  // namespace host
