// SPDX-License-Identifier: Apache-2.0
// What a store of the state has to be told.
#include <algorithm>

#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {
namespace {

// Those of the ids that are there, by `get`, and the others.
template <class T, class Get>
void sort_out(std::unordered_set<int>& ids, std::vector<T>& there, std::vector<int>& gone,
              Get get) {
  for (const int id : ids) {
    if (const T* value = get(id))
      there.push_back(*value);
    else
      gone.push_back(id);
  }
  ids.clear();
}

}  // namespace

Changes Scheduler::changes() {
  Changes changes;
  for (const int id : touched_.vms) {
    const int vm_at = vms_.find(id);
    auto& requests = changes.requests.emplace_back(id, std::vector<Request>{}).second;
    for (int at = vm_at < 0 ? -1 : vms_[vm_at].requests; at >= 0; at = entry(at).next)
      requests.push_back(entry(at).request);
  }
  sort_out(touched_.vms, changes.vms, changes.gone_vms, [&](int id) {
    const int at = vms_.find(id);
    return at < 0 || vms_[at].gone ? nullptr : &vms_[at].vm;
  });
  sort_out(touched_.jobs, changes.jobs, changes.gone_jobs, [&](int id) {
    const int at = jobs_.find(id);
    return at < 0 ? nullptr : &jobs_[at].job;
  });
  sort_out(touched_.actions, changes.actions, changes.gone_actions, [&](int id) {
    const int at = actions_.find(id);
    return at < 0 ? nullptr : &actions_[at];
  });
  return changes;
}

// For whoever wrote down what we were made from.
void Scheduler::note_differences(const State& given) {
  touched_ = {};
  for (const auto& vm : given.vms)
    if (vms_[vms_.find(vm.id)].vm != vm) touched_.vms.insert(vm.id);
  for (const auto& job : given.jobs)
    if (jobs_[jobs_.find(job.id)].job != job) touched_.jobs.insert(job.id);
  for (const auto& action : given.actions)
    if (actions_[actions_.find(action.id)] != action) touched_.actions.insert(action.id);
  for (const auto& request : given.requests) {
    int at = vms_[vms_.find(request.vm)].requests;
    while (at >= 0 && entry(at).request != request) at = entry(at).next;
    if (at < 0) touched_.vms.insert(request.vm);
  }
}

}  // namespace vmvaultd
