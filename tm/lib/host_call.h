// SPDX-License-Identifier: Apache-2.0
// One machine's part in a backup: what backup_host does there.
#pragma once

#include <string>
#include <string_view>

#include "common/command.h"
#include "common/one/left_hosts.h"
#include "tm/lib/host_request.h"

enum class Cancel { heeded, ignored };

struct HostCall {
  std::string host;
  HostRequest request;

  // By ssh, unless it is this machine; lines for the log are passed on.
  Command command(std::string_view verb, std::string_view option = "") const;
  // Throws Error unless it was a success: in its last words, or with its status.
  void insist(const Finished& finished) const;

  LeftPlace place() const { return {host, request.bridge, request.vm_dir}; }
  // This machine may keep something from now on.
  void enter() const { enter_place(request.vm.id, place()); }
  void strike_out() const { strike_out_place(request.vm.id, place()); }

  // Ends what still runs there, and removes what was left.  False: something is only removed later.
  // Throws Error when it cannot be done within the limit.
  bool end(std::chrono::milliseconds limit, Cancel cancel) const;
};
