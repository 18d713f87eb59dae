// SPDX-License-Identifier: Apache-2.0
// The libvirt of a host, as far as it is asked by us and not by an action.
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
  bool active = false;
};

class Hypervisor {
 public:
  // Whether another machine will do (host_uri.h): the command works where the disks are.
  enum class Where { here, anywhere };
  // BadRequest for a URI that will not do, Error with the remedy when libvirt cannot be reached.
  explicit Hypervisor(const std::string& uri, Where where = Where::here);

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
