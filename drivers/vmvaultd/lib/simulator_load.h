// SPDX-License-Identifier: Apache-2.0
// A made-up cloud for the simulator: the same for the same seed.
#pragma once

#include <cstdint>
#include <vector>

#include "drivers/vmvaultd/lib/model.h"

namespace vmvaultd {

struct Load {
  std::uint64_t seed = 1;
  int vms = 100'000, hosts = 2'000, jobs = 500, datastores = 10;
  Limits limits{.all = 1200, .host = 2, .datastore = 150};
  Time begin = 1'790'803'800;  // a day in autumn 2026
  Time length = 30 * day;
  int manual_per_day = 200;
  int restarts = 60;
  double outages = 1;      // of each host
  bool priorities = true;  // some jobs have another than 50
  double failures = 0.02;  // of attempts
};

// A number that depends on nothing but what is given.
std::uint64_t dice(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0);
double chance(std::uint64_t dice);  // from 0 to 1

struct Outage {
  int host = -1;
  Time begin = 0, end = 0;
};

struct Demand {
  int vm = -1, datastore = -1;
  Time time = 0;
};

// What one attempt to back a machine up is going to be like.
struct Attempt {
  Time duration = 0;
  bool good = true;
};

class Cloud {
 public:
  explicit Cloud(const Load& load);

  const Load& load() const { return load_; }
  const State& state() const { return state_; }
  const std::vector<Outage>& outages() const { return outages_; }
  const std::vector<Demand>& manual() const { return manual_; }
  const std::vector<Time>& restarts() const { return restarts_; }
  // The nth of this machine, from `now` on.
  Attempt attempt(int vm, int nth, Time now) const;

 private:
  void make_jobs();
  void make_schedules();
  void make_troubles();
  std::uint64_t roll(std::uint64_t what, int id) const {
    return dice(load_.seed, what, static_cast<std::uint64_t>(id));
  }

  Load load_;
  State state_;
  std::vector<double> minutes_;  // that a backup of the VM takes
  std::vector<Outage> outages_;
  std::vector<Demand> manual_;
  std::vector<Time> restarts_;
};

}  // namespace vmvaultd
