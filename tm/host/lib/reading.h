// SPDX-License-Identifier: Apache-2.0
// How the disks of one backup are read, as the settings say.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "common/nbd/limiter.h"
#include "tm/lib/host_request.h"

namespace host {

struct Reading {
  int parallel;                           // disks copied at the same time: DISKS_PARALLEL
  int connections;                        // of each disk: CONNECTIONS
  int ahead;                              // of each disk, see FileReader
  std::chrono::seconds deadline;          // of each request: READ_DEADLINE
  std::shared_ptr<nbd::Limiter> limiter;  // of all disks: READ_BWLIMIT and MAX_RIOPS; may be null

  // BadRequest, naming the setting, for what is none.
  static Reading of(const HostRequest& request, std::size_t disks);
};

}  // namespace host
