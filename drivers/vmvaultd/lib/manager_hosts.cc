// SPDX-License-Identifier: Apache-2.0
// Which machines there are, and on which host.
#include <algorithm>

#include "drivers/lib/host_uri.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

// New ones get one; what has not changed is not written again.
std::vector<int> Manager::ids_of(const std::vector<Machine>& machines) {
  std::map<std::string, state::VmRecord> known;
  for (auto& vm : store_.vms()) known[vm.uuid] = std::move(vm);
  std::vector<int> ids;
  store_.together([&] {
    for (const auto& [uuid, name, active] : machines) {
      const auto at = known.find(uuid);
      const bool is_known = at != known.end() && at->second.name == name;
      ids.push_back(is_known ? at->second.id : store_.vm_for(uuid, name).id);
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

std::string Manager::uri_of(int host) const {
  for (const auto& record : pools_.hosts())
    if (record.host.id == host) return record.uri;
  return "";
}

bool Manager::is_used(int host) const {
  return std::any_of(works_.begin(), works_.end(), [&](const auto& one) {
    using Phase = Work::Phase;
    const auto phase = one.second.phase;
    return phase != Phase::deleting && phase != Phase::flattening && host_of(one.first) == host;
  });
}

std::string Manager::host_name(int host) const {
  for (const auto& record : pools_.hosts())
    if (record.host.id == host) return record.name;
  return std::to_string(host);
}

void Manager::note_up(int host, bool up) {
  for (auto record : pools_.hosts())
    if (record.host.id == host && record.host.up != up) {
      record.host.up = up;
      log(up ? 'I' : 'W', {"HOST", host}, "host " + record.name + (up ? " is up" : " is down"));
      pools_.put(record);
      core_.put(record.host);
    }
}

// What was migrated is defined on both hosts; a definition alone does not move it.  While something
// is done with it, it stays where that is done.
bool Manager::moves_here(const Vm& known, int host, bool active) const {
  if (known.host == host) return true;
  if (!is_free(known.id)) return false;
  const auto at = seen_.find(known.host);
  if (at == seen_.end()) return active;  // that host has not said anything yet
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

void Manager::host_gone(int host, Time now) {
  machines(host, std::vector<Machine>{}, now);
  seen_.erase(host);
}

void Manager::machines(int host, const std::optional<std::vector<Machine>>& found, Time now) {
  note_up(host, found.has_value());
  // What it had stays its: nobody knows what became of that.
  if (!found) return save();
  const auto newest = store_.newest_backups();
  rules_ = RuleBook{store_, usual()};
  put_datastores();
  const auto ids = ids_of(*found);
  auto& there = seen_[host];
  there.clear();
  for (std::size_t i = 0; i < ids.size(); ++i) there[ids[i]] = (*found)[i].active;
  for (const auto& [id, active] : there) {
    auto& known = known_[id];
    const bool is_new = known.id < 0;
    if (!is_new && !moves_here(known, host, active)) continue;
    const bool moves = !is_new && known.host != host && known.host >= 0;
    Vm vm = known;
    vm.id = id;
    vm.host = host;
    vm = configured(vm);
    // The first backup is due at once, and late after a quarter of RPO.
    if (is_new) vm.rpo_since = now - (vm.rpo - vm.rpo / 4);
    if (const auto one = newest.find(id); one != newest.end())
      vm.last_backup = std::max(vm.last_backup, one->second);
    if (vm == known) continue;
    if (is_new) want_tidy(id);
    if (moves) log('I', id, "is on host " + host_name(host) + " now");
    known = vm;
    put(vm, now);
  }
  for (auto at = known_.begin(); at != known_.end();) {
    const bool gone = at->second.host == host && !there.contains(at->first) &&
                      !find_elsewhere(at->first, host, now);
    if (gone) {
      log('I', at->first, "is not defined any more");
      core_.remove_vm(at->first);
    }
    at = gone ? known_.erase(at) : std::next(at);
  }
  save();
}

}  // namespace vmvaultd
