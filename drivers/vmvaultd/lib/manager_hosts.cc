// SPDX-License-Identifier: Apache-2.0
// Which machines there are, and on which host.
#include <algorithm>
#include <array>
#include <utility>

#include "drivers/lib/host_uri.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

// New ones get one; what has not changed is neither read nor written.
std::vector<int> Manager::ids_of(const std::vector<Machine>& machines) {
  std::vector<int> ids;
  store_.together([&] {
    for (const auto& [uuid, name, active] : machines) {
      auto& known = named_[uuid];
      if (known.id < 0 || known.name != name)
        known = {.id = store_.vm_for(uuid, name).id, .name = name};
      ids.push_back(known.id);
    }
  });
  return ids;
}

int Manager::host_of(int vm) const {
  if (const auto found = known_.find(vm); found != known_.end()) return found->second.host;
  for (const auto& request : core_.state().requests)  // it is gone, and its backup still ends
    if (request.vm == vm && request.host >= 0) return request.host;
  return -1;
}

const HostRecord* Manager::find_host(int host) const {
  const auto found = std::find_if(hosts_.begin(), hosts_.end(),
                                  [&](const auto& one) { return one.host.id == host; });
  return found == hosts_.end() ? nullptr : &*found;
}

std::string Manager::uri_of(int host) const {
  const auto* record = find_host(host);
  return record ? record->uri : "";
}

bool Manager::is_used(int host) const {
  return std::any_of(works_.begin(), works_.end(), [&](const auto& one) {
    using Phase = Work::Phase;
    const auto phase = one.second.phase;
    return phase != Phase::deleting && phase != Phase::flattening && host_of(one.first) == host;
  });
}

std::string Manager::host_name(int host) const {
  const auto* record = find_host(host);
  return record ? record->name : std::to_string(host);
}

int Manager::put_host(const HostRecord& host) {
  auto put = host;
  put.host.id = pools_.put(host);
  const auto known = std::find_if(hosts_.begin(), hosts_.end(),
                                  [&](const auto& one) { return one.host.id == put.host.id; });
  if (known == hosts_.end())
    hosts_.push_back(put);
  else
    *known = put;
  core_.put(put.host);
  save();
  return put.host.id;
}

void Manager::note_up(int host, bool up) {
  const auto* known = find_host(host);
  if (!known || known->host.up == up) return;
  auto record = *known;
  record.host.up = up;
  log(up ? 'I' : 'W', {"HOST", host}, "host " + record.name + (up ? " is up" : " is down"));
  put_host(record);
}

void Manager::set_host_status(int host, Host::Status status) {
  auto record = *find_host(host);
  const auto was = std::exchange(record.host.status, status);
  if (was == status) return;
  // Up is what has answered since it was last asked for.
  if (was == Host::Status::offline || status == Host::Status::offline) record.host.up = false;
  constexpr std::array names{"enabled", "disabled", "offline"};
  log('I', {"HOST", host},
      "host " + record.name + " is " + names[static_cast<std::size_t>(status)] + " now");
  put_host(record);
}

// What was migrated is defined on both hosts; a definition alone does not move it.  While something
// is done with it, it stays where that is done.
bool Manager::moves_here(const Vm& known, int host, bool active) const {
  if (known.host == host) return true;
  if (!is_free(known.id)) return false;
  const auto at = seen_.find(known.host);
  const auto* other = find_host(known.host);
  // That host says nothing, or has not said anything yet.
  if (at == seen_.end() || !other || !other->host.up) return active;
  const auto there = at->second.find(known.id);
  return there == at->second.end() || (active && !there->second);
}

// Another host has it: it is that one's.
bool Manager::find_elsewhere(int vm, int host, Time now) {
  int other = -1;
  for (const auto& [id, machines] : seen_) {
    const auto found = machines.find(vm);
    if (id != host && found != machines.end() && (other < 0 || found->second)) other = id;
  }
  if (other < 0) return false;
  if (is_free(vm)) move(known_.at(vm), other, now);
  return true;
}

void Manager::move(Vm& known, int host, Time now) {
  log('I', known.id, "is on host " + host_name(host) + " now");
  known.host = host;
  put(known, now);
}

void Manager::remove_host(int host, Time now) {
  seen_.erase(host);
  std::vector<int> had;
  for (const auto& [id, vm] : known_)
    if (vm.host == host) had.push_back(id);
  for (const int vm : had)
    if (!find_elsewhere(vm, host, now)) forget(vm);
  is_not_on(host, {}, true, now);
  pools_.remove_host(host);
  std::erase_if(hosts_, [&](const auto& one) { return one.host.id == host; });
  core_.remove_host(host);
  save();
}

// Those that it had and has not.  The first time, what it had is in the state file.
std::vector<int> Manager::lost_by(int host, const std::map<int, bool>* before) const {
  const auto& there = seen_.at(host);
  std::vector<int> lost;
  if (before) {
    for (const auto& [id, active] : *before)
      if (!there.contains(id) && known_.contains(id)) lost.push_back(id);
  } else {
    for (const auto& [id, vm] : known_)
      if (vm.host == host && !there.contains(id)) lost.push_back(id);
  }
  return lost;
}

// A migration may have ended between the looks at both hosts.  An answer may have begun before it
// ended, but not the one after that.  Who has never answered us is not waited for.
void Manager::look_for(const std::vector<int>& lost, int host, Time now) {
  constexpr int answers = 2;
  std::map<int, int> hosts;
  for (const auto& one : hosts_)
    if (one.host.id != host && (one.host.up || seen_.contains(one.host.id)))
      hosts[one.host.id] = answers;
  for (const int vm : lost) {
    const int other = known_.at(vm).host;
    const auto at = seen_.find(other);
    const bool is_there = other != host && (at == seen_.end() || at->second.contains(vm));
    if (is_there || find_elsewhere(vm, host, now)) continue;
    missing_[vm] = hosts;
    put(known_.at(vm), now);
    if (hosts.empty()) forget(vm);
  }
}

// Nothing of what is missing, but for what is `there`; nor will it be, if the host itself goes.
void Manager::is_not_on(int host, const std::map<int, bool>& there, bool goes, Time now) {
  std::vector<int> gone;
  for (auto& [vm, hosts] : missing_) {
    const auto at = hosts.find(host);
    if (at == hosts.end() || there.contains(vm) || (--at->second > 0 && !goes)) continue;
    const bool is_told = at == hosts.begin();
    hosts.erase(at);
    if (hosts.empty())
      gone.push_back(vm);
    else if (is_told)
      put(known_.at(vm), now);
  }
  for (const int vm : gone) forget(vm);
}

void Manager::forget(int vm) {
  log('I', vm, "is not defined any more");
  core_.remove_vm(vm);
  known_.erase(vm);
  missing_.erase(vm);
}

// What the command has changed beside us.
void Manager::read_settings(Time now) {
  if (std::exchange(settings_read_, now) == now) return;
  rules_ = RuleBook{store_, usual()};
  put_datastores();
}

void Manager::machines(int host, const std::optional<std::vector<Machine>>& found, Time now) {
  // It may have been asked before.
  if (const auto* known = find_host(host); known && known->host.status == Host::Status::offline)
    return;
  note_up(host, found.has_value());
  // What it had stays its: nobody knows what became of that.
  if (!found) return save();
  read_settings(now);
  const auto ids = ids_of(*found);
  const auto newest = store_.newest_backups(ids, now);
  const bool is_first = !seen_.contains(host);
  const auto before = std::exchange(seen_[host], {});
  auto& there = seen_[host];
  for (std::size_t i = 0; i < ids.size(); ++i) there[ids[i]] = (*found)[i].active;
  for (const auto& [id, active] : there) {
    const auto last = newest.find(id);
    find(id, host, active, last == newest.end() ? -1 : last->second, now);
  }
  is_not_on(host, there, false, now);
  look_for(lost_by(host, is_first ? nullptr : &before), host, now);
  save();
}

void Manager::find(int id, int host, bool active, Time last_backup, Time now) {
  auto& known = known_[id];
  if (missing_.erase(id) > 0) put(known, now);
  const bool is_new = known.id < 0;
  if (!is_new && !moves_here(known, host, active)) return;
  const bool moves = !is_new && known.host != host && known.host >= 0;
  Vm vm = known;
  vm.id = id;
  vm.host = host;
  vm = configured(vm);
  // The first backup is due at once, and late after a quarter of RPO.
  if (is_new) vm.rpo_since = now - (vm.rpo - vm.rpo / 4);
  // What we knew may be gone, or damaged, or of a clock that was wrong.
  core_.lose_backups(id, last_backup);
  vm.last_backup = last_backup;
  if (vm == known) return;
  if (is_new) want_tidy(id);
  if (moves) log('I', id, "is on host " + host_name(host) + " now");
  known = vm;
  put(vm, now);
}

}  // namespace vmvaultd
