// SPDX-License-Identifier: Apache-2.0
// The libvirt of this machine, as far as the command asks it itself.
#pragma once

#include <libvirt/libvirt.h>

#include <string>

#include "common/handle.h"

namespace guest {

struct FoundDomain {
  std::string xml;
  bool active = false;
  bool persistent = true;
};

class Hypervisor {
 public:
  // BadRequest for a URI of another machine, Error with the remedy when libvirt cannot be reached.
  explicit Hypervisor(const std::string& uri);

  // By name, UUID or id, in this order.
  FoundDomain find(const std::string& domain) const;

 private:
  using Domain = Owned<virDomain, virDomainFree>;
  Domain look_up(const std::string& domain) const;

  std::string uri_;
  Owned<virConnect, virConnectClose> connection_;
};

}  // namespace guest
