// SPDX-License-Identifier: Apache-2.0
// The stock core's timer, as contract 5.9 describes it.  A tick that nothing happened before
// changes nothing, so only the first one after each event is made.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "drivers/vmvaultd/lib/simulator_core.h"

namespace vmvaultd {
namespace {

constexpr Time tick = 15;

struct StockJob {
  Job job;
  std::vector<int> outdated;  // in reverse order: the next one is the last
  int backing_up = 0;
  Time executed = 0;
};

class Stock : public Core {
 public:
  Stock(const State& state, Time now) : limits_{state.policy.limits}, tick_{now} {
    for (const auto& host : state.hosts) up_[host.id] = true;
    for (const auto& vm : state.vms) host_[vm.id] = vm.host;
    for (const auto& job : state.jobs) {
      jobs_[job.id].job = job;
      for (const int vm : job.vms) job_of_[vm] = job.id;
    }
    actions_ = state.actions;
    for (const auto& vm : state.vms)  // it knows no RPO: a daily schedule instead
      if (vm.datastore >= 0)
        actions_.push_back({.id = 20'000'000 + vm.id,
                            .parent = vm.id,
                            .time = now + vm.id % 1440 * minute,
                            .repeat = Repeat::hourly,
                            .days = {24},
                            .anchor = now + vm.id % 1440 * minute,
                            .datastore = vm.datastore});
    for (std::size_t at = 0; at < actions_.size(); ++at) plan(at);
  }

  std::vector<Start> advance(Time now) override {
    starts_.clear();
    starts_.swap(manual_);
    if (now < *next()) return std::move(starts_);
    active_ = static_cast<int>(running_.size());
    host_active_.clear();
    for (const auto& [vm, run] : running_) ++host_active_[run.host];
    std::vector<std::size_t> due_jobs;
    for (auto it = due_.begin(); it != due_.end() && it->first < now; ++it)
      if (actions_[it->second].subject == Subject::job)
        due_jobs.push_back(it->second);
      else
        due_vms_.push_back(it->second);
    due_.erase(due_.begin(), due_.lower_bound(now));
    run_vms(now);
    for (const auto at : due_jobs) waiting_jobs_.push_back(at);
    run_schedules(now);
    run_jobs(now);
    tick_ = last_time;
    return std::move(starts_);
  }

  std::optional<Time> next() const override {
    const Time due = due_.empty() ? last_time : (due_.begin()->first / tick + 1) * tick;
    return std::min(tick_, due);
  }

  void finished(int vm, bool, Time now) override {
    const auto found = running_.find(vm);
    if (found == running_.end()) return;
    if (found->second.job >= 0) --jobs_[found->second.job].backing_up;
    running_.erase(found);
    wake(now);
  }

  // At once, whatever the limits say.
  void backup(int vm, int datastore, Time now) override {
    if (!job_of_.contains(vm)) start(vm, datastore, -1, now, Origin::manual, manual_);
  }

  void set_host(int id, bool up) override { up_[id] = up; }
  void restart(Time now) override { wake(now); }
  std::size_t unexplained(Time, Time&) const override { return 0; }
  std::optional<Time> wanted(int) const override { return std::nullopt; }
  double bytes() const override { return 0; }

 private:
  struct Run {
    int host, job;
  };

  void wake(Time now) { tick_ = std::min(tick_, (now / tick + 1) * tick); }

  void plan(std::size_t at) {
    if (const auto time = due(actions_[at])) due_.emplace(*time, at);
  }

  bool start(int vm, int datastore, int job, Time since, Origin origin,
             std::vector<Start>& starts) {
    const int host = host_[vm];
    if (!up_[host] || running_.contains(vm)) return false;
    running_[vm] = {host, job};
    starts.push_back({.vm = vm,
                      .host = host,
                      .datastore = datastore,
                      .job = job,
                      .origin = origin,
                      .since = since});
    return true;
  }

  // The first whose host is full ends the loop.
  void run_vms(Time now) {
    std::vector<std::size_t> left;
    std::size_t seen = 0;
    for (; seen < due_vms_.size(); ++seen) {
      auto& action = actions_[due_vms_[seen]];
      const int host = host_[action.parent];
      if (full(limits_.all, active_) || full(limits_.host, host_active_[host])) break;
      ++active_, ++host_active_[host];
      if (start(action.parent, action.datastore, -1, action.time, Origin::scheduled, starts_)) {
        vmvaultd::advance(action, now);
        plan(due_vms_[seen]);
      } else {
        left.push_back(due_vms_[seen]);
      }
    }
    due_vms_.erase(due_vms_.begin(), due_vms_.begin() + static_cast<long>(seen));
    due_vms_.insert(due_vms_.begin(), left.begin(), left.end());
  }

  static bool full(int limit, int count) { return limit > 0 && count >= limit; }

  void run_schedules(Time now) {
    std::erase_if(waiting_jobs_, [&](std::size_t at) {
      auto& job = jobs_[actions_[at].parent];
      if (!job.outdated.empty() || job.backing_up > 0) return false;
      job.outdated.assign(job.job.vms.rbegin(), job.job.vms.rend());
      job.executed = actions_[at].time;
      vmvaultd::advance(actions_[at], now);
      plan(at);
      return true;
    });
  }

  void run_jobs(Time now) {
    int highest = -1;
    for (const auto& [id, job] : jobs_)
      if (!job.outdated.empty()) highest = std::max(highest, job.job.priority);
    for (auto& [id, job] : jobs_)
      if (job.job.priority == highest) run_job(job, now);
  }

  void run_job(StockJob& job, Time now) {
    const bool sequential = job.job.execution == Job::Execution::sequential;
    while (!job.outdated.empty()) {
      const int vm = job.outdated.back();
      const int host = host_[vm];
      if (sequential && job.backing_up > 0) return;
      if (full(limits_.all, active_) || full(limits_.host, host_active_[host])) return;
      job.outdated.pop_back();
      // One that cannot start is in ERROR until the next execution.
      if (start(vm, job.job.datastore, job.job.id, job.executed, Origin::job, starts_)) {
        ++job.backing_up;
        ++active_, ++host_active_[host];
      }
    }
    wake(now);
  }

  Limits limits_;
  Time tick_;
  int active_ = 0;
  std::unordered_map<int, bool> up_;
  std::unordered_map<int, int> host_, job_of_, host_active_;
  std::unordered_map<int, Run> running_;
  std::map<int, StockJob> jobs_;
  std::vector<Action> actions_;
  std::multimap<Time, std::size_t> due_;
  std::vector<std::size_t> due_vms_, waiting_jobs_;
  std::vector<Start> starts_, manual_;
};

}  // namespace

std::unique_ptr<Core> stock_core(const State& state, Time now) {
  return std::make_unique<Stock>(state, now);
}

}  // namespace vmvaultd
