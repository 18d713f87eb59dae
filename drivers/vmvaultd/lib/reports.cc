// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/reports.h"

#include <map>

#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/queue.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

std::string report_queue(state::Store& store, const Settings& settings, Time now) {
  const Scheduler scheduler{Pools{store}.load(settings.manager.policy), now};
  std::map<int, std::string> names;
  for (const auto& vm : store.vms()) names[vm.id] = vm.name;
  return queue_xml(scheduler, names);
}

}  // namespace vmvaultd
