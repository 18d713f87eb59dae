// SPDX-License-Identifier: Apache-2.0
// For tests: somebody who writes down what a scheduler says has changed, and nothing else.
#pragma once

#include <map>
#include <utility>

#include "drivers/vmvaultd/lib/model.h"

namespace vmvaultd {

class Ledger {
 public:
  explicit Ledger(const State& state) {
    for (const auto& vm : state.vms) vms_[vm.id] = vm;
    for (const auto& job : state.jobs) jobs_[job.id] = job;
    for (const auto& action : state.actions) actions_[action.id] = action;
    for (const auto& request : state.requests) requests_[request.serial] = request;
  }

  void write(const Changes& changes) {
    for (const auto& vm : changes.vms) vms_[vm.id] = vm;
    for (const auto& job : changes.jobs) jobs_[job.id] = job;
    for (const auto& action : changes.actions) actions_[action.id] = action;
    for (const int id : changes.gone_vms) vms_.erase(id);
    for (const int id : changes.gone_jobs) jobs_.erase(id);
    for (const int id : changes.gone_actions) actions_.erase(id);
    for (const auto& [vm, requests] : changes.requests) {
      std::erase_if(requests_, [&](const auto& one) { return one.second.vm == vm; });
      for (const auto& request : requests) requests_[request.serial] = request;
    }
  }

  // With what changes() does not tell of taken from there.
  State state(State rest) const {
    rest.vms = values(vms_);
    rest.jobs = values(jobs_);
    rest.actions = values(actions_);
    rest.requests = values(requests_);
    return rest;
  }

 private:
  template <class Key, class T>
  static std::vector<T> values(const std::map<Key, T>& map) {
    std::vector<T> all;
    for (const auto& [key, value] : map) all.push_back(value);
    return all;
  }

  std::map<int, Vm> vms_;
  std::map<int, Job> jobs_;
  std::map<int, Action> actions_;
  std::map<std::uint64_t, Request> requests_;
};

}  // namespace vmvaultd
