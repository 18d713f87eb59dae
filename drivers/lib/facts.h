// SPDX-License-Identifier: Apache-2.0
// What there is of each machine, in numbers: for lists and for monitoring, over many machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/store.h"

namespace state {

struct VmFacts {
  VmRecord vm;
  int images = 0;
  int increments = 0;                        // restore points of all its images
  std::uint64_t bytes = 0;                   // of their disk files
  std::optional<std::int64_t> newest{};      // as Store::newest_backups()
  std::uint64_t newest_bytes = 0;            // of that one
  std::optional<std::int64_t> duration{};    // seconds, of the last attempt that went well
  std::optional<std::int64_t> last_ended{};  // of all attempts
  std::string last_error{};                  // of that one; empty if it went well
};

// Of all machines, by id.  A half deleted image does not count.
std::vector<VmFacts> vm_facts(Store& store, std::int64_t now);

}  // namespace state
