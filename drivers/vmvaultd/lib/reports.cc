// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/reports.h"

#include <map>
#include <sstream>

#include "common/error.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/queue.h"
#include "drivers/vmvaultd/lib/scheduler.h"
#include "drivers/vmvaultd/lib/tidy.h"

namespace vmvaultd {

std::string report_queue(state::Store& store, const Settings& settings, Time now) {
  const Scheduler scheduler{Pools{store}.load(settings.manager.policy), now};
  std::map<int, std::string> names;
  for (const auto& vm : store.vms()) names[vm.id] = vm.name;
  return queue_xml(scheduler, names);
}

std::string report_retention(state::Store& store, const Settings& settings, Time now) {
  const RuleBook rules{store, settings.manager.usual()};
  std::string text;
  for (const auto& vm : store.vms())
    for (const auto& plan : plans_of(store, rules, vm, store.images_of(vm.id), now)) {
      std::istringstream lines{dry_run(plan)};
      for (std::string line; std::getline(lines, line);)
        text += "VM " + std::to_string(vm.id) + " " + one_line(vm.name) + ": " + line + "\n";
    }
  return text;
}

}  // namespace vmvaultd
