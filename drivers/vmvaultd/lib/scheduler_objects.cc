// SPDX-License-Identifier: Apache-2.0
// What there is: made from a state, written to one, and changed.
#include <algorithm>
#include <set>

#include "common/error.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {
namespace {

constexpr Time longest_hold = day;

void check_limit(int limit) {
  if (limit < 0) throw BadRequest{"a limit is 0 (none) or more, not " + std::to_string(limit)};
}

template <class T, class Get>
auto by_id(const Table<T>& table, Get get) {
  std::vector<std::pair<int, int>> places{table.places().begin(), table.places().end()};
  std::sort(places.begin(), places.end());
  std::vector<std::decay_t<decltype(*get(table[0]))>> values;
  for (const auto& [id, at] : places)
    if (const auto* value = get(table[at])) values.push_back(*value);
  return values;
}

}  // namespace

Scheduler::Scheduler(State state, Time now) : policy_{state.policy}, now_{now} {
  const State given = state;
  for (const auto& host : state.hosts) put(host);
  for (const auto& datastore : state.datastores) put(datastore);
  for (auto& vm : state.vms) {
    vm.last_backup = std::min(vm.last_backup, now);
    vm.rpo_since = std::min(vm.rpo_since, now);
    put(vm);
  }
  for (const auto& job : state.jobs) put(job);
  for (auto& action : state.actions) {
    set_back(action, now);
    put(action);
  }
  for (auto& request : state.requests) {
    const int vm_at = vms_.place(request.vm);
    if (vms_[vm_at].vm.id < 0) {  // it was removed while its backup ran
      vms_[vm_at].vm.id = request.vm;
      vms_[vm_at].gone = true;
    }
    request.since = std::min(request.since, now);
    request.not_before = std::min(request.not_before, now + policy_.retry.longest * 9 / 8);
    request.started = std::min(request.started, now);
    add(request, vm_at);
  }
  note_differences(given);
}

State Scheduler::state() const {
  State state{.policy = policy_};
  state.hosts = by_id(hosts_, [](const auto& it) { return it.known ? &it.host : nullptr; });
  state.datastores =
      by_id(datastores_, [](const auto& it) { return it.known ? &it.datastore : nullptr; });
  state.vms = by_id(vms_, [](const auto& it) { return it.gone ? nullptr : &it.vm; });
  state.jobs = by_id(jobs_, [](const auto& it) { return &it.job; });
  state.actions = by_id(actions_, [](const auto& it) { return &it; });
  std::vector<const Entry*> entries;
  for (const auto& it : requests_)
    if (it.serial != 0) entries.push_back(&it);
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->serial < b->serial; });
  for (const auto* it : entries) state.requests.push_back(it->request);
  return state;
}

void Scheduler::set(const Policy& policy) {
  for (const int limit : {policy.limits.all, policy.limits.host, policy.limits.datastore})
    check_limit(limit);
  policy_ = policy;
  begin_again(now_);
}

void Scheduler::begin_again(Time before) {
  auto notices = std::move(notices_);
  auto touched = std::move(touched_);
  auto given = state();
  for (auto& vm : given.vms) {
    if (vm.held_until == 0) continue;
    vm.held_until = std::max<Time>(vm.held_until - (before - now_), 0);  // no longer than it was
    touched.vms.insert(vm.id);
  }
  *this = Scheduler{std::move(given), now_};
  notices_ = std::move(notices);
  touched_.vms.merge(touched.vms);
  touched_.jobs.merge(touched.jobs);
  touched_.actions.merge(touched.actions);
}

void Scheduler::put(const Host& host) {
  check_limit(host.limit.value_or(0));
  const int at = host_place(host.id);
  hosts_[at].host = host;
  hosts_[at].known = true;
  open_host(at);
}

void Scheduler::remove_host(int id) {
  const int at = hosts_.find(id);
  if (at < 0) return;
  hosts_[at].known = false;
  open_host(at);
}

void Scheduler::put(const Datastore& datastore) {
  check_limit(datastore.limit.value_or(0));
  const int at = datastore_place(datastore.id);
  datastores_[at].datastore = datastore;
  datastores_[at].known = true;
  datastores_[at].window_change = windows_turn_ = 0;
  turn_windows();
  open_datastore(at);
}

void Scheduler::remove_datastore(int id) {
  const int at = datastores_.find(id);
  if (at < 0) return;
  datastores_[at].known = false;
  open_datastore(at);
}

void Scheduler::put(const Vm& vm) {
  touched_.vms.insert(vm.id);
  const bool is_new = !vms_.has(vm.id);
  const int at = vms_.place(vm.id);
  auto& entry = vms_[at];
  const Vm was = entry.vm;
  entry.vm = vm;
  entry.gone = false;
  entry.vm.job = -1;
  if (!is_new) {
    entry.vm.job = was.job;
    entry.vm.job_state = was.job_state;
    entry.vm.last_backup = std::max(was.last_backup, vm.last_backup);
    entry.vm.expected = was.expected;
    entry.vm.rpo_state = was.rpo_state;
    if (vm.rpo != was.rpo || entry.vm.last_backup != was.last_backup)
      entry.vm.rpo_state = Vm::Rpo::kept;  // what is near or missed is found out again
    if (entry.vm.last_backup != was.last_backup || vm.rpo == 0) drop_rpo(at);
  }
  hold(vm.id, vm.held_until, vm.held);
  set_rpo_timer(at);
}

void Scheduler::lose_backups(int vm, Time newest) {
  const int at = vms_.find(vm);
  if (at < 0 || vms_[at].gone || vms_[at].vm.last_backup <= newest) return;
  touched_.vms.insert(vm);
  vms_[at].vm.last_backup = newest;
  vms_[at].vm.rpo_state = Vm::Rpo::kept;
  set_rpo_timer(at);
}

void Scheduler::remove_vm(int id) {
  const int at = vms_.find(id);
  if (at < 0) return;
  touched_.vms.insert(id);
  if (const int job_at = jobs_.find(vms_[at].vm.job); job_at >= 0) {
    touched_.jobs.insert(vms_[at].vm.job);
    std::erase(jobs_[job_at].job.vms, id);
  }
  vms_[at].gone = true;
  vms_[at].vm.job = -1;
  rpo_.erase(at);
  held_.erase(at);
  if (vms_[at].requests < 0)
    vms_.remove(id);
  else
    drop_waiting(at, -1);
}

void Scheduler::hold(int vm, Time until, const std::string& what) {
  const int at = vms_.find(vm);
  if (at < 0) return;
  auto& of = vms_[at].vm;
  touched_.vms.insert(vm);
  of.held_until = std::min(until, now_ + longest_hold);
  of.held = what;
  if (of.held_until > now_)
    held_.put(at, of.held_until);
  else
    held_.erase(at);
  settle_vm(at);
}

void Scheduler::put(const Job& job) {
  if (job.priority < 0 || job.priority > 99)
    throw BadRequest{"PRIORITY of a job is from 0 to 99, not " + std::to_string(job.priority)};
  const std::set<int> members{job.vms.begin(), job.vms.end()};
  for (const int vm : members) {
    const auto name = "VM " + std::to_string(vm);
    const int at = vms_.find(vm);
    if (at < 0 || vms_[at].gone) throw BadRequest{name + " does not exist"};
    if (const int other = vms_[at].vm.job; other >= 0 && other != job.id)
      throw BadRequest{name + " is in job " + std::to_string(other)};
  }
  touched_.jobs.insert(job.id);
  const bool is_new = !jobs_.has(job.id);
  auto& entry = jobs_[jobs_.place(job.id)];
  const Job was = is_new ? job : entry.job;
  entry.job = job;
  entry.job.last_time = was.last_time;
  entry.job.last_duration = was.last_duration;
  entry.job.vms.clear();
  for (const int vm : job.vms)
    if (std::find(entry.job.vms.begin(), entry.job.vms.end(), vm) == entry.job.vms.end())
      entry.job.vms.push_back(vm);
  for (const int vm : was.vms)
    if (const int at = vms_.find(vm); at >= 0 && !members.contains(vm)) {
      touched_.vms.insert(vm);
      drop_waiting(at, job.id);
      vms_[at].vm.job = -1;
      vms_[at].vm.job_state = JobState::none;
    }
  for (const int vm : entry.job.vms)
    if (const int at = vms_.find(vm); at >= 0) {
      touched_.vms.insert(vm);
      vms_[at].vm.job = job.id;
    }
  entry.window_change = windows_turn_ = 0;
  turn_windows();
  for (const int vm : entry.job.vms)
    if (const int at = vms_.find(vm); at >= 0) settle_vm(at);
}

void Scheduler::remove_job(int id) {
  const int job_at = jobs_.find(id);
  if (job_at < 0) return;
  touched_.jobs.insert(id);
  for (auto& it : requests_)
    if (it.serial != 0 && it.request.job == id && it.request.started >= 0) {
      touched_.vms.insert(it.request.vm);
      it.request.job = -1;
    }
  for (const int vm : jobs_[job_at].job.vms)
    if (const int at = vms_.find(vm); at >= 0) {
      touched_.vms.insert(vm);
      drop_waiting(at, id);
      vms_[at].vm.job = -1;
      vms_[at].vm.job_state = JobState::none;
    }
  jobs_.remove(id);
}

void Scheduler::put(const Action& action) {
  check(action);
  touched_.actions.insert(action.id);
  const int at = actions_.place(action.id);
  actions_[at] = action;
  if (const auto time = due(action))
    due_.put(at, *time);
  else
    due_.erase(at);
}

void Scheduler::remove_action(int id) {
  if (const int at = actions_.find(id); at >= 0) due_.erase(at);
  touched_.actions.insert(id);
  actions_.remove(id);
}

}  // namespace vmvaultd
