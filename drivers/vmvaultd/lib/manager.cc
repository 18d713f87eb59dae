// SPDX-License-Identifier: Apache-2.0
// What runs, what there is, and what is due.
#include "drivers/vmvaultd/lib/manager.h"

#include <algorithm>
#include <set>

#include "common/error.h"
#include "drivers/lib/settle.h"

namespace vmvaultd {
Manager::Manager(state::Store& store, const state::Home& home, Settings settings, Ways ways,
                 Time now)
    : store_{store},
      home_{home},
      settings_{std::move(settings)},
      ways_{std::move(ways)},
      pools_{store},
      core_{pools_.load(settings_.policy), now} {
  for (const auto& vm : core_.state().vms) {
    known_[vm.id] = vm;
    if (vm.held_until > 0) core_.hold(vm.id, 0, "");  // by one that is gone
    want_tidy(vm.id);
  }
  adopt(now);
  save();
}

void Manager::log(char severity, int vm, const std::string& text) const {
  if (ways_.log) ways_.log(severity, vm, text);
}

std::optional<FileLock> Manager::lock(int vm) const {
  const auto machine = store_.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  home_.prepare_vm(vm, machine->uuid);
  return FileLock::try_lock(home_.vm_dir(machine->uuid) / "cli.lock");
}

void Manager::advance(Time now) {
  if (now >= try_again_) {
    try_again_ = last_time;
    if (!adopted_) adopt(now);
    begin_tasks(now);
  }
  const auto decisions = core_.advance(now);
  save();
  for (const auto& notice : decisions.notices) log('W', notice.vm, notice.text);
  for (const auto& one : decisions.starts) start(one, now);
  save();
}

std::optional<Time> Manager::next() const {
  const auto first = core_.next();
  if (try_again_ >= last_time) return first;
  return std::min(first.value_or(try_again_), try_again_);
}

// A backup that the driver has, or had: it is ours again, or it is over.
void Manager::adopt(Time now) {
  adopted_ = true;
  for (const auto& attempt : store_.unfinished())
    if (attempt.service && !works_.contains(attempt.vm)) adopt_one(attempt, now);
  settle_requests(now);
}

void Manager::adopt_one(const state::Attempt& attempt, Time now) {
  auto locked = lock(attempt.vm);
  if (!locked) {  // the command is at it
    adopted_ = false;
    try_again_ = now + lock_again;
    return;
  }
  const auto others = store_.unfinished(attempt.vm);
  if (std::none_of(others.begin(), others.end(),
                   [&](const auto& one) { return one.id == attempt.id; }))
    return;  // it has settled it meanwhile
  log('I', attempt.vm, "the backup that was begun before is looked after again");
  works_.emplace(
      attempt.vm,
      Work{.lock = *std::move(locked), .phase = Work::Phase::backing_up, .attempt = attempt.id});
}

// Requests that run, but nothing does: somebody has settled them, or they have not begun.
void Manager::settle_requests(Time now) {
  for (const auto& request : core_.state().requests) {
    if (request.started < 0 || works_.contains(request.vm)) continue;
    if (!adopted_ && !store_.unfinished(request.vm).empty()) continue;
    const auto last = store_.last_attempt(request.vm);
    if (last && last->service && last->started >= request.started && last->error.empty())
      core_.finished(request.vm, Outcome::good, "", now);
    else
      core_.put_back(request.vm, now, "", now);
  }
}

void Manager::start(const Start& start, Time now) {
  auto locked = lock(start.vm);
  if (!locked)
    return core_.put_back(start.vm, now + lock_again, "is worked on by the command vmvault", now);
  works_.emplace(start.vm, Work{.lock = *std::move(locked)});
  log('I', start.vm, "a backup into datastore " + std::to_string(start.datastore) + " begins");
  ways_.prepare(start.vm, start.datastore, start.reset);
}

// New ones get one; what has not changed is not written again.
std::vector<int> Manager::ids_of(const std::vector<Machine>& machines) {
  std::map<std::string, state::VmRecord> known;
  for (auto& vm : store_.vms()) known[vm.uuid] = std::move(vm);
  std::vector<int> ids;
  store_.together([&] {
    for (const auto& [uuid, name] : machines) {
      const auto at = known.find(uuid);
      const bool is_known = at != known.end() && at->second.name == name;
      ids.push_back(is_known ? at->second.id : store_.vm_for(uuid, name).id);
    }
  });
  return ids;
}

void Manager::machines(int host, const std::optional<std::vector<Machine>>& found, Time now) {
  for (auto record : pools_.hosts())
    if (record.host.id == host && record.host.up != found.has_value()) {
      record.host.up = found.has_value();
      log(found ? 'I' : 'W', -1, "host " + record.name + (found ? " is up" : " is down"));
      pools_.put(record);
      core_.put(record.host);
    }
  if (!found) return save();
  const auto newest = store_.newest_backups();
  std::set<int> there;
  for (const int id : ids_of(*found)) {
    there.insert(id);
    auto& known = known_[id];
    Vm vm = known;
    // The first backup is due at once, and late after a quarter of RPO.
    if (vm.id < 0) vm.rpo_since = now - (settings_.rpo - settings_.rpo / 4);
    vm.id = id;
    vm.host = host;
    vm.rpo = settings_.rpo;
    vm.datastore = settings_.rpo > 0 ? settings_.datastore : -1;
    if (const auto one = newest.find(id); one != newest.end())
      vm.last_backup = std::max(vm.last_backup, one->second);
    if (vm == known) continue;
    if (known.id < 0) want_tidy(id);
    known = vm;
    const bool held = is_held(id);
    vm.held_until = held ? now + day : 0;
    vm.held = held ? "is worked on" : "";
    core_.put(vm);
  }
  for (auto at = known_.begin(); at != known_.end();) {
    const bool gone = at->second.host == host && !there.contains(at->first);
    if (gone) {
      log('I', at->first, "is not defined any more");
      core_.remove_vm(at->first);
    }
    at = gone ? known_.erase(at) : std::next(at);
  }
  save();
}

}  // namespace vmvaultd
