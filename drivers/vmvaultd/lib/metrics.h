// SPDX-License-Identifier: Apache-2.0
// What a monitoring system reads of the service (GET /metrics), in the text format of Prometheus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/lib/facts.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

struct DriverHealth {
  std::string name;
  bool ready = false;
  int losses = 0;  // how often it has ended without being told to
};

struct DatastoreSpace {
  int id = -1;
  std::string name{};
  std::optional<std::int64_t> used_mb{}, free_mb{}, total_mb{};  // nullopt: it has not said yet
};

// One moment of the service.  The first group is the scheduler's, and is taken in the loop; the
// second is the state file's, and the text is made, by whoever wants it.
struct Measured {
  Time now = 0;
  Time begun = 0;  // when the service was started
  State scheduled{};
  std::vector<Wait> waits{};
  std::vector<DriverHealth> drivers{};

  std::vector<state::VmFacts> vms{};
  std::vector<HostRecord> hosts{};
  std::vector<DatastoreSpace> datastores{};
};

Measured measure(const Scheduler& scheduler, Time now);
std::string metrics(const Measured& measured);

// A label's value as the format wants it: UTF-8, with "\"", "\\" and "\n" for quote, backslash and
// newline.
std::string label_text(std::string_view value);

}  // namespace vmvaultd
