// SPDX-License-Identifier: Apache-2.0
// A month of a big cloud in fast motion, by our scheduler and by the stock core's algorithm.
//
//   simulate [DAYS] [VMS] [SEED]
//
// Exits 1 when our scheduler broke a promise.
#include <cstdio>
#include <cstdlib>

#include "drivers/vmvaultd/lib/simulator.h"

using vmvaultd::Report;

namespace {

bool kept(const Report& report) {
  constexpr double most_ms = 50, most_bytes = 200e6;
  constexpr vmvaultd::Time longest_wait = 2 * vmvaultd::day;
  return report.over() == 0 && report.unexplained == 0 && report.never == 0 &&
         report.quantile_wait(1) < longest_wait && report.quantile_pass(0.99) <= most_ms &&
         report.most_bytes <= most_bytes;
}

}  // namespace

int main(int argc, char** argv) {
  vmvaultd::Load load;
  if (argc > 1) load.length = std::atoi(argv[1]) * vmvaultd::day;
  if (argc > 2) {
    const int whole = load.vms;
    load.vms = std::atoi(argv[2]);
    load.hosts = load.vms / 50;
    load.jobs = load.vms / 200;
    load.limits.all = load.limits.all * load.vms / whole;
    load.limits.datastore = load.limits.datastore * load.vms / whole;
  }
  if (argc > 3) load.seed = std::strtoull(argv[3], nullptr, 10);
  const vmvaultd::Cloud cloud{load};
  std::printf("%d VMs, %d hosts, %d jobs, %d days\n", load.vms, load.hosts, load.jobs,
              static_cast<int>(load.length / vmvaultd::day));
  const auto ours = vmvaultd::simulate(cloud, vmvaultd::our_core);
  const auto stock = vmvaultd::simulate(cloud, vmvaultd::stock_core);
  // Its starvation by priority hides the rest: once more without priorities.
  load.priorities = false;
  const auto equal = vmvaultd::simulate(vmvaultd::Cloud{load}, vmvaultd::stock_core);
  const auto text =
      vmvaultd::table({{"vmvault", ours}, {"stock", stock}, {"stock, all 50", equal}});
  std::fputs(text.c_str(), stdout);
  return kept(ours) ? 0 : 1;
}
