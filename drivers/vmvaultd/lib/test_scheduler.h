// SPDX-License-Identifier: Apache-2.0
// For tests: a small cloud, and what is asked of its scheduler.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/vmvaultd/lib/scheduler.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {

class SchedulerTest : public testing::Test {
 protected:
  static constexpr Time now = 1'790'596'800;  // Monday, 2026-09-28 12:00 UTC
  ScopedZone zone_{"UTC"};
  using Ids = std::vector<int>;

  // VMs 1 to 8 on hosts 1 to 4, two on each.
  static State cloud(const Limits& limits = {.all = 0, .host = 0, .datastore = 0}) {
    State state{.policy = {.limits = limits}};
    for (int id = 1; id <= 4; ++id) state.hosts.push_back({.id = id});
    state.datastores = {{.id = 100}, {.id = 101}};
    for (int id = 1; id <= 8; ++id)
      state.vms.push_back({.id = id, .host = (id + 1) / 2, .rpo_since = now});
    return state;
  }

  static Ids started(Scheduler& core, Time time) {
    Ids vms;
    for (const auto& start : core.advance(time).starts) vms.push_back(start.vm);
    return vms;
  }

  static void want(Scheduler& core, const Ids& vms, int datastore = 100, int priority = 50) {
    for (const int vm : vms) core.backup(vm, datastore, false, priority, now);
  }

  static std::string why(const Scheduler& core, int vm) {
    const auto waits = core.waits(vm);
    return waits.empty() ? "" : waits.front().text;
  }
};

}  // namespace vmvaultd
