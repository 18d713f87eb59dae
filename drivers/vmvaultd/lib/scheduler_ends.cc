// SPDX-License-Identifier: Apache-2.0
// What the end of a backup brings, and what RPO demands.
#include <algorithm>

#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {
namespace {

// So that what failed together is not repeated together.
Time spread(const Request& request, Time most) {
  std::uint64_t mixed = static_cast<std::uint64_t>(request.vm) * 0x9e3779b97f4a7c15U +
                        static_cast<std::uint64_t>(request.failures) * 0xbf58476d1ce4e5b9U;
  mixed ^= mixed >> 31;
  return static_cast<Time>(mixed % static_cast<std::uint64_t>(most + 1));
}

}  // namespace

void Scheduler::finished(int vm, Outcome outcome, const std::string& error, Time now,
                         std::optional<Time> ended) {
  now_ = std::max(now_, now);
  const int vm_at = vms_.find(vm);
  if (vm_at < 0 || vms_[vm_at].running < 0) return;
  const int at = vms_[vm_at].running;
  leave(at);
  if (outcome == Outcome::good)
    succeed(at, std::min(ended.value_or(now_), now_));
  else
    fail(at, outcome, error);
}

void Scheduler::put_back(int vm, Time until, const std::string& what, Time now) {
  now_ = std::max(now_, now);
  const int vm_at = vms_.find(vm);
  if (vm_at < 0 || vms_[vm_at].running < 0) return;
  const int at = vms_[vm_at].running;
  leave(at);
  auto& request = entry(at).request;
  request.started = -1;
  request.host = -1;
  if (vms_[vm_at].gone || left_job(entry(at))) return drop(at);
  if (request.job >= 0) vms_[vm_at].vm.job_state = JobState::outdated;
  hold(vm, until, what);
}

// It began for a job that its machine is no longer in.
bool Scheduler::left_job(const Entry& of) const {
  return of.request.job >= 0 && vms_[of.vm_at].vm.job != of.request.job;
}

// Gives back what a running backup occupies.
void Scheduler::leave(int at) {
  const auto& it = entry(at);
  touched_.vms.insert(it.request.vm);
  vms_[it.vm_at].running = -1;
  --running_;
  const int host_at = host_place(it.request.host);
  --hosts_[host_at].running;
  open_host(host_at);
  --datastores_[it.datastore_at].running;
  open_datastore(it.datastore_at);
  settle_vm(it.vm_at);
  if (it.request.job < 0) return;
  auto& job = jobs_[jobs_.find(it.request.job)];
  touched_.jobs.insert(job.job.id);
  --job.running;
  job.job.last_duration = now_ - job.job.last_time;
  if (job.running > 0) return;
  const auto parked = std::move(job.parked);
  job.parked.clear();
  for (const int waiting : parked) {
    if (!entry(waiting).parked) continue;  // it is another by now
    entry(waiting).parked = false;
    settle(waiting);
  }
}

void Scheduler::succeed(int at, Time ended) {
  const int vm_at = entry(at).vm_at;
  auto& vm = vms_[vm_at].vm;
  const auto& request = entry(at).request;
  const Time took = std::max<Time>(ended - request.started, 0);
  vm.expected = vm.expected == 0 ? took : (3 * vm.expected + took) / 4;
  vm.last_backup = std::max(vm.last_backup, request.started);
  if (request.job >= 0 && !left_job(entry(at))) vm.job_state = JobState::updated;
  drop(at);
  if (vms_[vm_at].gone || vms_[vm_at].vm.id < 0) return;
  vms_[vm_at].ask_at = 0;
  drop_rpo(vm_at);
  vms_[vm_at].vm.rpo_state = Vm::Rpo::kept;
  set_rpo_timer(vm_at);
  settle_vm(vm_at);
}

void Scheduler::fail(int at, Outcome outcome, const std::string& error) {
  auto& it = entry(at);
  auto& request = it.request;
  const int vm_at = it.vm_at;
  request.started = -1;
  request.host = -1;
  request.error = error;
  ++request.failures;
  const bool left = left_job(it);
  const bool unwanted = request.origin == Origin::rpo && vms_[vm_at].vm.rpo == 0;
  const int most = request.origin == Origin::manual || left || unwanted ? 0 : policy_.retry.most;
  if (outcome == Outcome::failed && request.failures <= most && !vms_[vm_at].gone) {
    request.not_before = now_ + delay(request);
    if (request.job >= 0) vms_[vm_at].vm.job_state = JobState::outdated;
    settle(at);
    return;
  }
  if (request.job >= 0 && !left) vms_[vm_at].vm.job_state = JobState::error;
  if (const int action_at = actions_.find(request.action); action_at >= 0) {
    touched_.actions.insert(request.action);
    actions_[action_at].message = wall_text(now_) + " : " + error;
  }
  if (outcome == Outcome::failed)
    notify(Notice::Kind::given_up, vm_at,
           "VM " + std::to_string(request.vm) + ": given up after " +
               std::to_string(request.failures) +
               (request.failures == 1 ? " attempt" : " attempts") + ": " + error);
  vms_[vm_at].ask_at = now_ + policy_.retry.longest;
  drop(at);
  if (vms_[vm_at].vm.id >= 0 && !vms_[vm_at].gone) set_rpo_timer(vm_at);
}

Time Scheduler::delay(const Request& request) const {
  const int doublings = std::min(request.failures - 1, 30);
  const Time delay = std::min(policy_.retry.first << doublings, policy_.retry.longest);
  return delay + spread(request, delay / 8);
}

void Scheduler::notify(Notice::Kind kind, int vm_at, const std::string& text) {
  notices_.push_back({kind, vms_[vm_at].vm.id, text});
}

Time Scheduler::deadline(const Vm& vm) const {
  return std::max(vm.last_backup, vm.rpo_since) + vm.rpo;
}

Time Scheduler::near(const Vm& vm) const {
  return deadline(vm) - std::clamp(2 * vm.expected, vm.rpo / 4, vm.rpo / 2);
}

void Scheduler::set_rpo_timer(int vm_at) {
  const auto& [vm, gone, running, requests, ask_at] = vms_[vm_at];
  std::optional<Time> time;
  if (vm.rpo > 0 && !gone) {
    if (vm.rpo_state == Vm::Rpo::kept) time = near(vm);
    if (vm.rpo_state == Vm::Rpo::near) time = deadline(vm);
    if (vm.rpo_state != Vm::Rpo::kept && vm.datastore >= 0 && ask_at > now_)
      time = std::min(time.value_or(ask_at), ask_at);
  }
  if (time)
    rpo_.put(vm_at, *time);
  else
    rpo_.erase(vm_at);
}

void Scheduler::watch_rpo(int vm_at) {
  rpo_.erase(vm_at);
  auto& of = vms_[vm_at];
  auto& vm = of.vm;
  const auto was = vm.rpo_state;
  if (vm.rpo_state == Vm::Rpo::kept && now_ >= near(vm)) vm.rpo_state = Vm::Rpo::near;
  if (vm.rpo_state == Vm::Rpo::near && now_ >= deadline(vm)) vm.rpo_state = Vm::Rpo::missed;
  const bool asks = vm.rpo_state != Vm::Rpo::kept && vm.datastore >= 0 && now_ >= of.ask_at;
  if (asks && of.requests < 0) {
    if (const int job_at = jobs_.find(vm.job); job_at >= 0)
      want({.vm = vm.id,
            .datastore = jobs_[job_at].job.datastore,
            .origin = Origin::job,
            .priority = jobs_[job_at].job.priority,
            .job = vm.job,
            .since = now_},
           vm_at);
    else
      want({.vm = vm.id,
            .datastore = vm.datastore,
            .origin = Origin::rpo,
            .priority = vm.priority,
            .since = now_},
           vm_at);
  }
  set_rpo_timer(vm_at);
  if (vm.rpo_state == was) return;
  touched_.vms.insert(vm.id);
  settle_vm(vm_at);  // they are urgent
  const bool near_only = vm.rpo_state == Vm::Rpo::near;
  const auto host = disabled(vm.host);
  notify(near_only ? Notice::Kind::rpo_near : Notice::Kind::rpo_missed, vm_at,
         "VM " + std::to_string(vm.id) +
             (near_only ? ": will miss its RPO at " : ": missed its RPO at ") +
             wall_text(deadline(vm)) +
             (vm.last_backup < 0 ? ", it has no backup yet"
                                 : ", its newest backup is of " + wall_text(vm.last_backup)) +
             (host.empty() ? "" : ", and it is on " + host));
}

}  // namespace vmvaultd
