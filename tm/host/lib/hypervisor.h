// SPDX-License-Identifier: Apache-2.0
// libvirt, as much of it as a backup needs.
#pragma once

#include <libvirt/libvirt.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/error.h"
#include "common/handle.h"

namespace host {

using Connection = Owned<virConnect, virConnectClose>;
using Domain = Owned<virDomain, virDomainFree>;
using Checkpoint = Owned<virDomainCheckpoint, virDomainCheckpointFree>;

// "cannot <doing>: <libvirt's words>", with libvirt's error code (virErrorNumber) beside it.
class VirtError : public Error {
 public:
  explicit VirtError(const std::string& doing);
  int code() const { return code_; }

 private:
  int code_;
};

// A connection that survives a restart of libvirtd: it is opened anew when it is found dead.
class Hypervisor {
 public:
  explicit Hypervisor(std::string uri);  // connects; throws Error that names the URI

  virConnect* connection();
  // By UUID where `name_or_uuid` is one, else by name.  nullopt: libvirt knows none such.
  std::optional<Domain> find(const std::string& name_or_uuid);
  Domain get(const std::string& name_or_uuid);  // Error that names it
  std::string host_uuid();
  // After a fork, in the child: the parent's connection is the parent's.
  void after_fork();

 private:
  std::optional<Domain> look_up(const std::string& name_or_uuid);

  std::string uri_;
  Connection connection_;
};

std::string uuid_of(const Domain& domain);
bool is_active(const Domain& domain);

struct State {
  int state = VIR_DOMAIN_NOSTATE;
  int reason = 0;
  bool paused() const { return state == VIR_DOMAIN_PAUSED; }
  bool paused_by_user() const { return paused() && reason == VIR_DOMAIN_PAUSED_USER; }
  bool paused_by_io_error() const { return paused() && reason == VIR_DOMAIN_PAUSED_IOERROR; }
  bool migrated() const {
    return state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_MIGRATED;
  }
};
State state_of(const Domain& domain);

// The text that a libvirt function gives to be freed; throws VirtError(doing) for null.
std::string take(char* text, const std::string& doing);

}  // namespace host
