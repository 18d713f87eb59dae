// SPDX-License-Identifier: Apache-2.0
// How the libvirt of another host is reached: "qemu+ssh://[USER@]HOST/system[?socket=/PATH]".
#pragma once

#include <string>

namespace guest {

struct HostUri {
  std::string host = "localhost";  // as ssh takes it, with the user; localhost: this machine
  std::string to_ask;              // for libvirt here: its ssh asks nobody for a password
  std::string there;               // for who is on that host

  bool is_here() const { return host == "localhost"; }
};

// Any URI of a libvirt of this machine is one; one of another machine must have that form, and
// nothing else: other parameters choose programs to run, or switch off the check of host keys.
// BadRequest, which says so.
HostUri parse_host_uri(const std::string& uri);

}  // namespace guest
