// SPDX-License-Identifier: Apache-2.0
// Which hosts and shelves of the queue are open, and for each that waits: for what.
#include <algorithm>
#include <tuple>

#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {
namespace {

std::string backups(int count) {
  return std::to_string(count) + (count == 1 ? " backup" : " backups");
}

}  // namespace

int Scheduler::host_place(int id) {
  const int at = hosts_.place(id);
  hosts_[at].host.id = id;
  return at;
}

int Scheduler::datastore_place(int id) {
  const int at = datastores_.place(id);
  datastores_[at].datastore.id = id;
  return at;
}

int Scheduler::shelf(const Entry& of) {
  auto& datastore = datastores_[of.datastore_at];
  const bool manual = of.request.origin == Origin::manual;
  int job_at = manual ? -1 : jobs_.find(of.request.job);
  if (job_at >= 0 && !jobs_[job_at].job.window) job_at = -1;
  for (const auto& known : datastore.shelves)
    if (known.manual == manual && known.job_at == job_at) return known.number;
  const auto& made = datastore.shelves.emplace_back(
      Shelf{.number = ++last_shelf_, .manual = manual, .job_at = job_at});
  queue_.set_shelf(made.number, shelf_open(datastore, made));
  return made.number;
}

int Scheduler::limit_of(const HostEntry& host) const {
  return host.host.limit.value_or(policy_.limits.host);
}

int Scheduler::limit_of(const DatastoreEntry& datastore) const {
  return datastore.datastore.limit.value_or(policy_.limits.datastore);
}

void Scheduler::open_host(int at) {
  const auto& host = hosts_[at];
  const int limit = limit_of(host);
  const bool enabled = host.host.status == Host::Status::enabled;
  queue_.set_host(at, host.known && host.host.up && enabled && host.host.id >= 0 &&
                          host.kept_for < 0 && (limit == 0 || host.running < limit));
}

bool Scheduler::shelf_open(const DatastoreEntry& datastore, const Shelf& shelf) const {
  const int limit = limit_of(datastore);
  if (!datastore.known || !datastore.datastore.usable || (limit > 0 && datastore.running >= limit))
    return false;
  if (shelf.manual) return true;
  return datastore.window_open && (shelf.job_at < 0 || jobs_[shelf.job_at].window_open);
}

void Scheduler::open_datastore(int at) {
  const auto& datastore = datastores_[at];
  for (const auto& shelf : datastore.shelves)
    queue_.set_shelf(shelf.number, shelf_open(datastore, shelf));
}

std::string Scheduler::disabled(int host) const {
  const int at = hosts_.find(host);
  if (at < 0 || !hosts_[at].known || hosts_[at].host.status == Host::Status::enabled) return "";
  const bool offline = hosts_[at].host.status == Host::Status::offline;
  return "host " + std::to_string(host) + ", which is " + (offline ? "offline" : "disabled");
}

std::pair<Cause, std::string> Scheduler::why(const Entry& of) const {
  const auto& request = of.request;
  const auto& [vm, gone, running, requests, ask_at] = vms_[of.vm_at];
  if (request.not_before > now_)
    return {Cause::retry, "is tried again at " + wall_text(request.not_before) + " (" +
                              std::to_string(request.failures) + " of " +
                              std::to_string(policy_.retry.most + 1) +
                              " attempts failed: " + request.error + ")"};
  if (vm.host < 0) return {Cause::not_deployed, "has never run on a host"};
  if (running >= 0)
    return {Cause::vm_backup, "waits for its backup into datastore " +
                                  std::to_string(entry(running).request.datastore)};
  if (vm.held_until > now_)
    return {Cause::vm_held,
            "waits until " + wall_text(vm.held_until) + " at the latest: it " + vm.held};
  const auto host_name = "host " + std::to_string(vm.host);
  const int host_at = hosts_.find(vm.host);
  if (host_at < 0 || !hosts_[host_at].known)
    return {Cause::host_unknown, "waits for " + host_name + ", which does not exist"};
  if (const auto host = disabled(vm.host); !host.empty())
    return {Cause::host_disabled, "waits for " + host};
  if (!hosts_[host_at].host.up)
    return {Cause::host_down, "waits for " + host_name + ", which is down"};
  const auto& datastore = datastores_[of.datastore_at];
  const auto store_name = "datastore " + std::to_string(request.datastore);
  if (!datastore.known)
    return {Cause::datastore_unknown, "waits for " + store_name + ", which does not exist"};
  if (!datastore.datastore.usable)
    return {Cause::datastore_unusable, "waits for " + store_name + ", which cannot be used"};
  if (request.origin != Origin::manual) {
    if (!datastore.window_open)
      return {Cause::datastore_window, "waits for the backup window of " + store_name +
                                           ", which opens at " +
                                           wall_text(datastore.window_change)};
    const int job_at = jobs_.find(request.job);
    if (job_at >= 0 && !jobs_[job_at].window_open)
      return {Cause::job_window, "waits for the backup window of job " +
                                     std::to_string(request.job) + ", which opens at " +
                                     wall_text(jobs_[job_at].window_change)};
  }
  if (sequential_busy(request))
    return {Cause::job_busy,
            "waits for job " + std::to_string(request.job) + ", which backs up one VM at a time"};
  if (const int limit = limit_of(hosts_[host_at]); limit > 0 && hosts_[host_at].running >= limit)
    return {Cause::host_limit, "waits for " + host_name + ", which makes " +
                                   backups(hosts_[host_at].running) + " (MAX_BACKUPS_HOST)"};
  if (const int limit = limit_of(datastore); limit > 0 && datastore.running >= limit)
    return {Cause::datastore_limit, "waits for " + store_name + ", which takes " +
                                        backups(datastore.running) + " (MAX_BACKUPS_DATASTORE)"};
  if (policy_.limits.all > 0 && running_ >= policy_.limits.all)
    return {Cause::limit, "waits for its turn: " + backups(running_) +
                              (running_ == 1 ? " runs" : " run") + " (MAX_BACKUPS)"};
  if (const int other = hosts_[host_at].kept_for; other >= 0)
    return {Cause::host_kept, "waits for " + host_name + ", whose last place is kept for VM " +
                                  std::to_string(other) + ", which is urgent"};
  return {Cause::none, "begins now"};
}

std::vector<Wait> Scheduler::waits(int vm) const {
  std::vector<Wait> found;
  const int vm_at = vms_.find(vm);
  if (vm_at < 0) return found;
  for (int at = vms_[vm_at].requests; at >= 0; at = entry(at).next) {
    if (entry(at).request.started >= 0) continue;
    auto [cause, text] = why(entry(at));
    found.push_back({entry(at).request, cause, "VM " + std::to_string(vm) + " " + text});
  }
  return found;
}

std::vector<Wait> Scheduler::waits() const {
  std::vector<Wait> found;
  for (const auto& [id, at] : vms_.places())
    for (auto& wait : waits(id)) found.push_back(std::move(wait));
  std::sort(found.begin(), found.end(), [](const Wait& a, const Wait& b) {
    return std::tie(a.request.since, a.request.vm) < std::tie(b.request.since, b.request.vm);
  });
  return found;
}

}  // namespace vmvaultd
