// SPDX-License-Identifier: Apache-2.0
// The process that sets a guest free when the one that froze it no longer can.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "common/handle.h"
#include "common/one/vm.h"

namespace host {

class Guard {
 public:
  struct Order {
    std::string libvirt_uri;
    std::string domain;  // UUID
    Freeze how = Freeze::agent;
    std::chrono::seconds deadline{30};
    std::filesystem::path log;  // what it has to say is appended here
  };

  // Starts `backup_host guard` in a session of its own and waits until it is ready (connected to
  // libvirt).  Throws Error when it does not get ready: then nothing must be frozen.
  explicit Guard(const Order& order);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  // Undismissed: the guard sees the end of its stdin, and acts.
  ~Guard() = default;

  // The guest is free: the guard ends and does nothing.
  void dismiss() noexcept;

 private:
  Fd stdin_;
};

// What that process does: reads the order from stdin, says "ready", waits for its dismissal, our
// death or the deadline.  Returns its exit status.
int run_guard();

}  // namespace host
