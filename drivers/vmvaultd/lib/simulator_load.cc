// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/simulator_load.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vmvaultd {
namespace {

enum What : std::uint64_t {
  host,
  slow,
  size,
  kind,
  when,
  rpo,
  store,
  broken,
  outage,
  demand,
  restart,
  fate
};

Time pick(std::uint64_t dice, Time least, Time most) {
  return least + static_cast<Time>(dice % static_cast<std::uint64_t>(most - least + 1));
}

}  // namespace

std::uint64_t dice(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t mixed = seed;
  for (const std::uint64_t part : {a, b, c}) {
    mixed += part + 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    mixed ^= mixed >> 31;
  }
  return mixed;
}

double chance(std::uint64_t dice) { return static_cast<double>(dice >> 11) / 9007199254740992.0; }

Cloud::Cloud(const Load& load) : load_{load} {
  state_.policy.limits = load.limits;
  for (int id = 0; id < load.hosts; ++id) state_.hosts.push_back({.id = id});
  for (int id = 0; id < load.datastores; ++id) state_.datastores.push_back({.id = 100 + id});
  for (int id = 0; id < load.vms; ++id) {
    const int on = static_cast<int>(roll(host, id) % static_cast<std::uint64_t>(load.hosts));
    state_.vms.push_back({.id = id, .host = on, .rpo_since = load.begin});
    // Most take some minutes, few an hour; on a slow host five times as long.
    const double slowness = chance(roll(slow, on)) < 0.02 ? 5 : 1;
    minutes_.push_back(std::min(2 + 5 * -std::log(1 - chance(roll(size, id))), 60.0) * slowness);
  }
  make_jobs();
  make_schedules();
  make_troubles();
}

// Nine of ten machines are in jobs: 30 % of the jobs take one at a time and are small, the others
// share the rest.  One in five jobs is weekly, one in five has a window, one in
// four another priority than 50.
void Cloud::make_jobs() {
  const int sequential = load_.jobs * 3 / 10;
  const int in_jobs = load_.vms * 9 / 10;
  const int of_sequential = std::min(40, in_jobs / (2 * load_.jobs));
  const int of_parallel = (in_jobs - sequential * of_sequential) / (load_.jobs - sequential);
  int next_vm = 0;
  for (int id = 0; id < load_.jobs; ++id) {
    const bool one_by_one = id < sequential;
    Job job{.id = id, .datastore = 100 + id % load_.datastores};
    if (load_.priorities && roll(kind, id) % 4 == 0)
      job.priority = static_cast<int>(roll(kind, id) / 4 % 100);
    job.execution = one_by_one ? Job::Execution::sequential : Job::Execution::parallel;
    const bool weekly = roll(when, id) % 5 == 0;
    if (roll(store, id) % 5 == 0) job.window = Window::parse("16:00-10:00");
    for (int n = 0; n < (one_by_one ? of_sequential : of_parallel); ++n) {
      auto& vm = state_.vms[static_cast<std::size_t>(next_vm)];
      job.vms.push_back(next_vm++);
      vm.job = id;
      // Two hours for a variation of the order are too few where one waits for all others.
      const int least = one_by_one ? 30 : 26;
      constexpr std::array daily_rpo = {26, 30, 36, 48};
      if (roll(rpo, vm.id) % 2 == 0)
        vm.rpo = weekly ? 8 * day : std::max(daily_rpo[roll(rpo, vm.id) / 2 % 4], least) * hour;
    }
    state_.jobs.push_back(job);
    // Evenings: 18 to 26 o'clock.
    const Time time =
        instant({wall(load_.begin).date, 0}) + pick(roll(when, id) / 5, 18 * hour, 26 * hour);
    Action action{.id = id, .subject = Subject::job, .parent = id, .time = time, .anchor = time};
    action.repeat = Repeat::weekly;
    action.days = weekly ? std::vector{static_cast<int>(id % 7)} : std::vector{0, 1, 2, 3, 4, 5, 6};
    state_.actions.push_back(action);
    for (const int vm : job.vms) state_.vms[static_cast<std::size_t>(vm)].rpo_since = time;
  }
}

// The others have schedules of their own, each tenth has nothing but an RPO.
void Cloud::make_schedules() {
  for (auto& vm : state_.vms) {
    if (vm.job >= 0) continue;
    const int datastore =
        100 + static_cast<int>(roll(store, vm.id) % static_cast<std::uint64_t>(load_.datastores));
    if (roll(kind, vm.id) % 10 == 0) {
      vm.rpo = day;
      vm.datastore = datastore;
      continue;
    }
    const Time time = load_.begin + pick(roll(when, vm.id), 0, day);
    Action action{.id = 10'000'000 + vm.id,
                  .parent = vm.id,
                  .time = time,
                  .anchor = time,
                  .datastore = datastore};
    switch (roll(rpo, vm.id) % 4) {
      case 0:
        action.repeat = Repeat::hourly;
        action.days = {12};
        vm.rpo = 16 * hour;
        break;
      case 1:
        action.repeat = Repeat::monthly;
        action.days = {1, 31};
        break;
      case 2:
        action.repeat = Repeat::yearly;
        action.days = {300, 365};
        action.end = End::times;
        action.end_value = 1;
        break;
      default:
        action.repeat = Repeat::weekly;
        action.days = {1, 3, 5};
        vm.rpo = 4 * day;
    }
    state_.actions.push_back(action);
    vm.rpo_since = time;
  }
}

void Cloud::make_troubles() {
  for (const auto& host : state_.hosts)
    for (int n = 0; n < 2; ++n) {
      const auto thrown = dice(load_.seed, outage, static_cast<std::uint64_t>(host.id),
                               static_cast<std::uint64_t>(n));
      if (chance(thrown) >= load_.outages / 2) continue;
      const Time begin = load_.begin + pick(dice(thrown, 1), 0, load_.length);
      outages_.push_back({host.id, begin, begin + pick(dice(thrown, 2), 10 * minute, 8 * hour)});
    }
  const auto days = static_cast<int>(load_.length / day);
  for (int n = 0; n < load_.manual_per_day * days; ++n) {
    const auto thrown = roll(demand, n);
    manual_.push_back({.vm = static_cast<int>(thrown % static_cast<std::uint64_t>(load_.vms)),
                       .datastore = 100,
                       .time = load_.begin + pick(dice(thrown, 1), 0, load_.length)});
  }
  for (int n = 0; n < load_.restarts; ++n)
    restarts_.push_back(load_.begin + pick(roll(restart, n), 0, load_.length));
}

// One machine in a thousand is broken for a week of the month.
Attempt Cloud::attempt(int vm, int nth, Time now) const {
  const auto thrown =
      dice(load_.seed, fate, static_cast<std::uint64_t>(vm), static_cast<std::uint64_t>(nth));
  const auto luck = roll(broken, vm);
  const Time breaks = load_.begin + pick(dice(luck, 1), 0, load_.length);
  const bool is_broken = luck % 1000 == 0 && now >= breaks && now < breaks + 7 * day;
  const bool good = !is_broken && chance(dice(thrown, 1)) >= load_.failures;
  const double minutes =
      minutes_[static_cast<std::size_t>(vm)] * (0.7 + 0.6 * chance(dice(thrown, 2)));
  const double share = good ? 1 : 0.05 + 0.95 * chance(dice(thrown, 3));
  return {std::max<Time>(20, static_cast<Time>(minutes * share * 60)), good};
}

}  // namespace vmvaultd
