// SPDX-License-Identifier: Apache-2.0
// A cloud in fast motion: hosts fail, backups fail, the service is restarted; and a record of how a
// core did.  Everything is counted here a second time: nothing is believed that a core says of
// itself.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "drivers/vmvaultd/lib/simulator_core.h"
#include "drivers/vmvaultd/lib/simulator_load.h"

namespace vmvaultd {

using MakeCore = std::unique_ptr<Core> (*)(const State&, Time);

struct Report {
  std::size_t started = 0, good = 0, failed = 0, cut = 0;  // cut: their host went down
  // Starts beyond a limit, by the limit; of a machine that had a backup running, or a job that
  // takes one at a time, or outside of its window.
  std::size_t over_all = 0, over_host = 0, over_datastore = 0, over_vm = 0, over_job = 0,
              outside = 0;
  std::size_t unexplained = 0, asked_why = 0;
  Time longest_turn = 0;      // that one that could have begun waited for others, at most
  std::vector<Time> waits{};  // from the wish to the first attempt; sorted
  std::size_t never = 0;      // machines with a schedule or an RPO and no backup at the end

  // Ages of backups beyond RPO.  Those that are forced, by the reason (simulator_record.h).
  std::size_t misses = 0, alone = 0, crowded = 0, unforeseen = 0;
  Time late = 0;  // by how much, all together

  std::size_t passes = 0;
  std::vector<std::pair<Time, Time>> gaps{};  // in which the service was down
  std::vector<double> pass_ms{};              // sorted
  double most_bytes = 0;                      // that the core occupied

  std::size_t avoidable() const { return misses - alone - crowded - unforeseen; }
  std::size_t over() const {
    return over_all + over_host + over_datastore + over_vm + over_job + outside;
  }
  double quantile_wait(double share) const;
  double quantile_pass(double share) const;
};

Report simulate(const Cloud& cloud, MakeCore make);

// The same figures of several, side by side.
std::string table(const std::vector<std::pair<std::string, Report>>& reports);

}  // namespace vmvaultd
