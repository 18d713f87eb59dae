// SPDX-License-Identifier: Apache-2.0
// What time brings: what is due, what has become urgent, and what can begin.
#include "drivers/vmvaultd/lib/scheduler.h"

#include <algorithm>
#include <utility>

namespace vmvaultd {
namespace {

constexpr Time urgent_first = Time{1} << 40;  // more than any time that can be

}  // namespace

Decisions Scheduler::advance(Time now) {
  const Time before = std::exchange(now_, now);
  if (now < before) begin_again(before);
  turn_windows();
  while (!due_.empty() && due_.top_key() <= now_) fire(due_.top());
  while (!rpo_.empty() && rpo_.top_key() <= now_) watch_rpo(rpo_.top());
  while (!held_.empty() && held_.top_key() <= now_) {
    const int vm_at = held_.top();
    held_.erase(vm_at);
    settle_vm(vm_at);
  }
  while (!wake_.empty() && wake_.top_key() <= now_) settle(wake_.top());
  lose_patience();
  open_kept();

  Decisions decisions;
  while (policy_.limits.all == 0 || running_ < policy_.limits.all) {
    const auto at = queue_.top();
    if (!at) break;
    if (blocked(entry(*at))) {
      settle(*at);
    } else if (const int vm = keep_for(*at); vm >= 0) {
      kept_.push_back(host_place(vms_[entry(*at).vm_at].vm.host));
      hosts_[kept_.back()].kept_for = vm;
      open_host(kept_.back());
    } else {
      start(*at, decisions);
    }
  }
  std::erase_if(notices_, [&](const Notice& notice) {
    const int vm_at = vms_.find(notice.vm);
    return notice.kind == Notice::Kind::rpo_near && vm_at >= 0 && vms_[vm_at].running >= 0;
  });
  decisions.notices = std::move(notices_);
  notices_.clear();
  return decisions;
}

std::optional<Time> Scheduler::next() const {
  std::optional<Time> first;
  const auto consider = [&](std::optional<Time> time) {
    if (time && (!first || *time < *first)) first = time;
  };
  for (const auto* timers : {&wake_, &due_, &rpo_, &held_})
    if (!timers->empty()) consider(timers->top_key());
  if (patience_from_ < patience_.size()) consider(patience_[patience_from_].time);
  if (windows_turn_ <= last_time) consider(windows_turn_);
  return first;
}

void Scheduler::turn_windows() {
  if (now_ < windows_turn_) return;
  windows_turn_ = last_time + 1;
  const auto turn = [&](const std::optional<Window>& window, auto& entry) {
    if (!window) {
      entry.window_open = true;
    } else if (now_ >= entry.window_change) {
      entry.window_open = window->open(now_);
      entry.window_change = window->next_change(now_).value_or(last_time + 1);
    }
    if (window) windows_turn_ = std::min(windows_turn_, entry.window_change);
  };
  for (const auto& [id, at] : jobs_.places()) turn(jobs_[at].job.window, jobs_[at]);
  for (const auto& [id, at] : datastores_.places()) {
    turn(datastores_[at].datastore.window, datastores_[at]);
    open_datastore(at);
  }
}

void Scheduler::fire(int action_at) {
  Action& action = actions_[action_at];
  touched_.actions.insert(action.id);
  vmvaultd::advance(action, now_);
  if (const auto time = due(action))
    due_.put(action_at, *time);
  else
    due_.erase(action_at);
  if (action.subject == Subject::job) {
    if (const int at = jobs_.find(action.parent); at >= 0)
      join_job(at, now_);
    else
      action.message = "job " + std::to_string(action.parent) + " does not exist";
    return;
  }
  const int at = vms_.find(action.parent);
  if (at < 0 || vms_[at].gone)
    action.message = "VM " + std::to_string(action.parent) + " does not exist";
  else if (const int job = vms_[at].vm.job; job >= 0)
    action.message = "job " + std::to_string(job) + " backs up this VM";
  else
    want({.vm = action.parent,
          .datastore = action.datastore,
          .origin = Origin::scheduled,
          .reset = action.reset,
          .priority = vms_[at].vm.priority,
          .action = action.id,
          .since = now_},
         at);
}

// Requests are made with ascending times, so that the first here is the next.
void Scheduler::lose_patience() {
  for (; patience_from_ < patience_.size(); ++patience_from_) {
    const auto [time, at, serial] = patience_[patience_from_];
    if (entry(at).serial != serial) continue;  // it is gone
    if (time > now_) break;
    if (entry(at).request.started < 0) settle(at);
  }
  if (patience_from_ > patience_.size() / 2) {
    patience_.erase(patience_.begin(), patience_.begin() + static_cast<long>(patience_from_));
    patience_from_ = 0;
  }
}

bool Scheduler::sequential_busy(const Request& request) const {
  if (request.job < 0) return false;
  const auto& job = jobs_[jobs_.find(request.job)];
  return job.running > 0 && job.job.execution == Job::Execution::sequential;
}

// It is in the queue, but what it needs was taken since it came there.
bool Scheduler::blocked(const Entry& of) const {
  return vms_[of.vm_at].running >= 0 || sequential_busy(of.request);
}

// The machine that the place on its host which this one would take is kept for; -1: none.
int Scheduler::keep_for(int at) {
  const int host_at = host_place(vms_[entry(at).vm_at].vm.host);
  const int limit = limit_of(hosts_[host_at]);
  if (limit == 0 || hosts_[host_at].running + 1 < limit) return -1;
  const Key own = key(entry(at));
  for (bool changed = true; changed;) {
    changed = false;
    for (const int other : queue_.tops(host_at)) {
      const auto& it = entry(other);
      if (!urgent(it) || !(key(it) < own)) continue;
      changed = blocked(it);
      if (changed) {
        settle(other);
        break;
      }
      if (why(it).first == Cause::datastore_limit) return it.request.vm;
    }
  }
  return -1;
}

void Scheduler::open_kept() {
  for (const int host_at : kept_) {
    hosts_[host_at].kept_for = -1;
    open_host(host_at);
  }
  kept_.clear();
}

bool Scheduler::urgent(const Entry& of) const {
  const auto& vm = vms_[of.vm_at].vm;
  return (vm.rpo > 0 && vm.rpo_state != Vm::Rpo::kept) ||
         of.request.since + policy_.patience <= now_;
}

Key Scheduler::key(const Entry& of) const {
  const auto& request = of.request;
  const auto& vm = vms_[of.vm_at].vm;
  const auto tie = (static_cast<std::uint64_t>(request.place) << 40) | of.serial;
  Time wanted = request.since + policy_.patience;
  const bool near_rpo = vm.rpo > 0 && vm.rpo_state != Vm::Rpo::kept;
  if (near_rpo) wanted = std::min(wanted, deadline(vm) - vm.expected);
  if (urgent(of)) return {wanted - urgent_first, tie};
  return {request.since - request.priority * policy_.point, tie};
}

void Scheduler::settle(int at) {
  auto& it = entry(at);
  const auto& vm = vms_[it.vm_at];
  wake_.erase(at);
  if (it.request.not_before > now_) {
    queue_.erase(at);
    wake_.put(at, it.request.not_before);
  } else if (vm.running >= 0 || vm.vm.held_until > now_) {
    queue_.erase(at);  // the machine settles it when it is free
  } else if (sequential_busy(it.request)) {
    queue_.erase(at);
    if (!it.parked) jobs_[jobs_.find(it.request.job)].parked.push_back(at);
    it.parked = true;
  } else {
    queue_.put(at, key(it), host_place(vm.vm.host), shelf(it));
  }
}

void Scheduler::settle_vm(int vm_at) {
  for (int at = vms_[vm_at].requests; at >= 0; at = entry(at).next)
    if (entry(at).request.started < 0) settle(at);
}

void Scheduler::start(int at, Decisions& decisions) {
  occupy(at, now_);
  const auto& request = entry(at).request;
  decisions.starts.push_back({.vm = request.vm,
                              .host = request.host,
                              .datastore = request.datastore,
                              .job = request.job,
                              .reset = request.reset,
                              .origin = request.origin,
                              .since = request.since});
}

void Scheduler::occupy(int at, Time started) {
  queue_.erase(at);
  wake_.erase(at);
  auto& it = entry(at);
  auto& vm = vms_[it.vm_at];
  touched_.vms.insert(vm.vm.id);
  it.parked = false;
  it.request.started = started;
  it.request.host = vm.vm.host;
  vm.running = at;
  ++running_;
  const int host_at = host_place(vm.vm.host);
  ++hosts_[host_at].running;
  open_host(host_at);
  ++datastores_[it.datastore_at].running;
  open_datastore(it.datastore_at);
  if (it.request.job >= 0) {
    ++jobs_[jobs_.find(it.request.job)].running;
    vm.vm.job_state = JobState::backing_up;
  }
}

}  // namespace vmvaultd
