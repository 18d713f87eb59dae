// SPDX-License-Identifier: Apache-2.0
// The libvirt of this machine, as far as it is asked by us and not by an action.
#pragma once

#include <libvirt/libvirt.h>

#include <string>
#include <vector>

#include "common/handle.h"

namespace guest {

struct FoundDomain {
  std::string xml;
  bool active = false;
  bool persistent = true;
};

struct NamedDomain {
  std::string uuid, name;
};

class Hypervisor {
 public:
  // BadRequest for a URI of another machine, Error with the remedy when libvirt cannot be reached.
  explicit Hypervisor(const std::string& uri);

  // By name, UUID or id, in this order.
  FoundDomain find(const std::string& domain) const;
  // All that are defined or run, but those of an OpenNebula and those that end with their qemu.
  std::vector<NamedDomain> all() const;

 private:
  using Domain = Owned<virDomain, virDomainFree>;
  Domain look_up(const std::string& domain) const;

  std::string uri_;
  Owned<virConnect, virConnectClose> connection_;
};

}  // namespace guest
