// SPDX-License-Identifier: Apache-2.0
// What the simulator drives: our scheduler, or the algorithm of the stock core.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

class Core {
 public:
  virtual ~Core() = default;

  virtual std::vector<Start> advance(Time now) = 0;
  virtual std::optional<Time> next() const = 0;
  virtual void finished(int vm, bool good, Time now) = 0;
  virtual void backup(int vm, int datastore, Time now) = 0;
  virtual void set_host(int id, bool up) = 0;
  virtual void restart(Time now) = 0;  // from what is durable

  // How many of those that wait cannot say for what; sets the longest wait of one that could start
  // if others were not before it.
  virtual std::size_t unexplained(Time now, Time& longest_turn) const = 0;
  // Since when a backup of this machine is waited for; nullopt: it is not.
  virtual std::optional<Time> wanted(int vm) const = 0;
  virtual double bytes() const = 0;  // it occupied at its last restart
};

std::unique_ptr<Core> our_core(const State& state, Time now);

// Contract 5.9: MAX_BACKUPS and MAX_BACKUPS_HOST only, no retries, no windows, no RPO.
std::unique_ptr<Core> stock_core(const State& state, Time now);

}  // namespace vmvaultd
