// SPDX-License-Identifier: Apache-2.0
// What is wanted: by people, by schedules, by jobs; and the doors of the queue.
#include <algorithm>

#include "common/error.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

int Scheduler::add(const Request& request, int vm_at) {
  int at = static_cast<int>(requests_.size());
  if (free_requests_.empty()) {
    requests_.emplace_back();
  } else {
    at = free_requests_.back();
    free_requests_.pop_back();
  }
  auto& it = entry(at);
  auto& of = vms_[vm_at];
  touched_.vms.insert(request.vm);
  last_serial_ = std::max(last_serial_ + 1, request.serial);
  it = {.request = request,
        .serial = request.serial != 0 ? request.serial : last_serial_,
        .vm_at = vm_at,
        .datastore_at = datastore_place(request.datastore),
        .next = of.requests,
        .parked = false};
  it.request.serial = it.serial;
  of.requests = at;
  if (!jobs_.has(request.job)) it.request.job = -1;
  const Patience patience{request.since + policy_.patience, at, it.serial};
  const auto after = [](const Patience& a, const Patience& b) { return a.time < b.time; };
  patience_.insert(std::upper_bound(patience_.begin() + static_cast<long>(patience_from_),
                                    patience_.end(), patience, after),
                   patience);
  if (request.started < 0) {
    settle(at);
    return at;
  }
  of.running = at;
  ++running_;
  const int host_at = host_place(request.host);
  ++hosts_[host_at].running;
  open_host(host_at);
  ++datastores_[it.datastore_at].running;
  open_datastore(it.datastore_at);
  if (const int job_at = jobs_.find(it.request.job); job_at >= 0) ++jobs_[job_at].running;
  return at;
}

// One backup serves all who want it into the same datastore.
void Scheduler::want(Request request, int vm_at) {
  for (int at = vms_[vm_at].requests; at >= 0; at = entry(at).next) {
    auto& known = entry(at).request;
    if (known.datastore != request.datastore) continue;
    if (known.started >= 0) return;
    touched_.vms.insert(known.vm);
    known.priority = std::max(known.priority, request.priority);
    known.reset |= request.reset;
    if (request.origin == Origin::manual) {
      known.origin = Origin::manual;
      known.not_before = 0;
    } else if (known.origin == Origin::rpo) {
      known.origin = request.origin;
      known.action = request.action;
    }
    settle(at);
    return;
  }
  if (request.job >= 0) vms_[vm_at].vm.job_state = JobState::outdated;
  add(request, vm_at);
}

void Scheduler::drop(int at) {
  queue_.erase(at);
  wake_.erase(at);
  const int vm_at = entry(at).vm_at;
  touched_.vms.insert(entry(at).request.vm);
  int* link = &vms_[vm_at].requests;
  while (*link != at) link = &entry(*link).next;
  *link = entry(at).next;
  entry(at) = Entry{};
  free_requests_.push_back(at);
  if (vms_[vm_at].gone && vms_[vm_at].requests < 0) vms_.remove(vms_[vm_at].vm.id);
}

// Those of the job; -1: all.
void Scheduler::drop_waiting(int vm_at, int job) {
  for (int at = vms_[vm_at].requests; at >= 0;) {
    const int following = entry(at).next;
    const auto& request = entry(at).request;
    if (request.started < 0 && (job < 0 || request.job == job)) drop(at);
    at = following;
  }
}

// What only RPO asked for, once there is a newer backup, or none is wanted any more.
void Scheduler::drop_rpo(int vm_at) {
  for (int at = vms_[vm_at].requests; at >= 0;) {
    const int following = entry(at).next;
    const auto& request = entry(at).request;
    if (request.started < 0 && request.origin == Origin::rpo) drop(at);
    at = following;
  }
}

void Scheduler::backup(int vm, int datastore, bool reset, int priority, Time now) {
  now_ = std::max(now_, now);
  const auto name = "VM " + std::to_string(vm);
  const int at = vms_.find(vm);
  if (at < 0 || vms_[at].gone) throw BadRequest{name + " does not exist"};
  const auto& of = vms_[at];
  if (of.vm.job >= 0) throw BadRequest{"job " + std::to_string(of.vm.job) + " backs up " + name};
  if (of.running >= 0 && entry(of.running).request.datastore == datastore)
    throw BadRequest{"a backup of " + name + " runs"};
  if (priority < 0 || priority > 99) throw BadRequest{"a priority is from 0 to 99"};
  want({.vm = vm,
        .datastore = datastore,
        .origin = Origin::manual,
        .reset = reset,
        .priority = priority,
        .since = now_},
       at);
}

// What waits for the same runs with it.
void Scheduler::runs(int vm, int datastore, Time started, Time now) {
  now_ = std::max(now_, now);
  const int vm_at = vms_.find(vm);
  if (vm_at < 0 || vms_[vm_at].gone || vms_[vm_at].running >= 0) return;
  for (int at = vms_[vm_at].requests; at >= 0; at = entry(at).next)
    if (entry(at).request.datastore == datastore) return occupy(at, std::min(started, now_));
  const Request request{.vm = vm,
                        .datastore = datastore,
                        .origin = Origin::manual,
                        .since = std::min(started, now_),
                        .started = std::min(started, now_),
                        .host = vms_[vm_at].vm.host};
  add(request, vm_at);
  settle_vm(vm_at);
}

int Scheduler::job_of(int vm) const {
  const int at = vms_.find(vm);
  return at < 0 ? -1 : vms_[at].vm.job;
}

std::vector<JobState> Scheduler::job_states(int job) const {
  std::vector<JobState> all;
  if (const int job_at = jobs_.find(job); job_at >= 0)
    for (const int vm : jobs_[job_at].job.vms)
      if (const int at = vms_.find(vm); at >= 0) all.push_back(vms_[at].vm.job_state);
  return all;
}

bool Scheduler::asks(const JobEntry& job, JobState state) const {
  return std::any_of(job.job.vms.begin(), job.job.vms.end(), [&](int vm) {
    const int at = vms_.find(vm);
    return at >= 0 && vms_[at].vm.job_state == state;
  });
}

void Scheduler::execute(int job, Time now) {
  now_ = std::max(now_, now);
  const int at = jobs_.find(job);
  if (at < 0) throw BadRequest{"job " + std::to_string(job) + " does not exist"};
  if (asks(jobs_[at], JobState::outdated) || asks(jobs_[at], JobState::backing_up))
    throw BadRequest{"job " + std::to_string(job) + " is being carried out"};
  join_job(at, now_);
}

// Whoever does not wait yet waits now.  (A machine that is held up must not hold up the next
// round.)
void Scheduler::join_job(int job_at, Time now) {
  auto& job = jobs_[job_at].job;
  std::erase_if(job.vms, [&](int vm) {
    const int at = vms_.find(vm);
    return at < 0 || vms_[at].gone;
  });
  touched_.jobs.insert(job.id);
  job.last_time = now;
  for (std::size_t place = 0; place < job.vms.size(); ++place)
    want({.vm = job.vms[place],
          .datastore = job.datastore,
          .origin = Origin::job,
          .reset = job.reset,
          .priority = job.priority,
          .job = job.id,
          .place = static_cast<int>(place),
          .since = now},
         vms_.find(job.vms[place]));
}

void Scheduler::retry(int job, Time now) {
  now_ = std::max(now_, now);
  const int job_at = jobs_.find(job);
  if (job_at < 0) throw BadRequest{"job " + std::to_string(job) + " does not exist"};
  const auto& of = jobs_[job_at].job;
  for (std::size_t place = 0; place < of.vms.size(); ++place)
    if (const int at = vms_.find(of.vms[place]);
        at >= 0 && vms_[at].vm.job_state == JobState::error)
      want({.vm = of.vms[place],
            .datastore = of.datastore,
            .origin = Origin::job,
            .reset = of.reset,
            .priority = of.priority,
            .job = job,
            .place = static_cast<int>(place),
            .since = now_},
           at);
}

std::vector<int> Scheduler::cancel(int job) {
  std::vector<int> running;
  const int job_at = jobs_.find(job);
  if (job_at < 0) return running;
  for (const int vm : jobs_[job_at].job.vms) {
    const int at = vms_.find(vm);
    if (at < 0) continue;
    touched_.vms.insert(vm);
    drop_waiting(at, job);
    if (vms_[at].running >= 0 && entry(vms_[at].running).request.job == job)
      running.push_back(vm);
    else if (vms_[at].vm.job_state == JobState::outdated)
      vms_[at].vm.job_state = JobState::none;
  }
  return running;
}

bool Scheduler::cancel_vm(int vm) {
  const int at = vms_.find(vm);
  if (at < 0) return false;
  touched_.vms.insert(vm);
  drop_waiting(at, -1);
  if (vms_[at].vm.job_state == JobState::outdated) vms_[at].vm.job_state = JobState::error;
  return vms_[at].running >= 0;
}

}  // namespace vmvaultd
