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
  int connections;                        // of each disk: CONNECTIONS, see connections_of()
  int ahead;                              // of each disk, see FileReader
  std::chrono::seconds deadline;          // of each request: READ_DEADLINE
  std::shared_ptr<nbd::Limiter> limiter;  // of all disks: READ_BWLIMIT and MAX_RIOPS; may be null

  // As many requests at a time either way: `connections` with a few each, or (deep) one with all.
  int connections_of(bool deep) const { return deep ? 1 : connections; }
  int requests_of(bool deep) const { return deep ? 4 * connections : 4; }  // on each

  // BadRequest, naming the setting, for what is none.
  static Reading of(const HostRequest& request, std::size_t disks);
};

}  // namespace host
