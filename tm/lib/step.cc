// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/step.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/core.h"
#include "common/one/limits.h"
#include "common/one/location.h"
#include "common/one/running.h"
#include "common/one/stock.h"
#include "tm/lib/bridge.h"
#include "tm/lib/host_call.h"

namespace {

struct Step {
  HostCall host;                   // of the VM
  std::optional<HostCall> bridge;  // where its disks are read instead

  const HostCall& reader() const { return bridge ? *bridge : host; }
  int vm_id() const { return host.request.vm.id; }
};

bool same_machine(const std::string& one, const std::string& other) {
  return one == other || (is_this_machine(one) && is_this_machine(other));
}

Step read(const Request& request, When when) {
  const XmlNode vm = request.xml().root();
  if (vm.name() != "VM") throw BadRequest{"the request is no VM document"};
  if (vm.find("BACKUPS/BACKUP_CONFIG/INTERACTIVE") == "YES")
    hand_to_stock(request, "the backup is an interactive one");
  auto location = Location::parse(request["HOST:DIR"]);
  HostRequest out;
  out.vm = Vm::parse(vm);
  out.vm_xml = vm.dump();
  if (out.vm.id != request.number("VM_ID"))
    throw BadRequest{"the arguments are for VM " + request["VM_ID"] + ", the request is for VM " +
                     std::to_string(out.vm.id)};
  out.vm_dir = location.dir;
  out.backup_dir = backup_dir(location.dir, out.vm.id);
  out.disk_ids = parse_disk_ids(request["DISKS"]);
  for (const int id : out.disk_ids) out.vm.disk(id);
  out.live = when == When::live;
  out.libvirt_uri = libvirt_uri_on(location.host);
  for (const char* name : host_settings)
    if (const auto value = setting(name)) out.settings[name] = *value;
  if (const auto& bridge = out.vm.backup.last_bridge; !bridge.empty())
    if (!same_machine(bridge, location.host)) out.reader = Location::parse(bridge + ":/").host;
  return {.host = {std::move(location.host), std::move(out)}, .bridge = {}};
}

// A file can only be read where it is; what is in Ceph, by who uploads it.
void choose_reader(Step& step) {
  const HostRequest& request = step.host.request;
  if (!request.reader.empty() && request.rbd_disks().size() == request.disk_ids.size())
    step.bridge = HostCall{request.reader, request.for_bridge()};
}

// Older versions of OpenNebula stored disks in Ceph as exports of rbd, and theirs still goes on
// with such a chain.  An increment of ours would end it without a word.
void hand_over_legacy_chain(const Request& request, const Vm& vm) {
  const auto id = parse_int(
      request.xml().root().find("BACKUPS/BACKUP_CONFIG/INCREMENTAL_BACKUP_ID").value_or(""), 0);
  const bool in_ceph = std::any_of(vm.disks.begin(), vm.disks.end(),
                                   [](const Disk& disk) { return !disk.rbd.empty(); });
  if (!id || !in_ceph || vm.backup.parent_id() < 0) return;
  if (image_from_core(*id).root().find("FORMAT") == "rbd")
    hand_to_stock(request, "the backups of VM " + std::to_string(vm.id) +
                               " are in the legacy format of Ceph (rbd), which only OpenNebula's "
                               "own driver continues");
}

// What the datastore of the backup says to the hypervisor.  It is not needed for a backup, so one
// that the core does not tell us of is no reason to have none.
Settings settings_of_datastore(int id) {
  if (id < 0) return {};
  std::optional<Datastore> datastore;
  try {
    datastore = datastore_from_core(id);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    log(Level::warn, std::string{e.what()} + ": the backup goes on without its limits");
    return {};
  }
  auto out = to_settings(limits_of(*datastore, attribute_prefix(*datastore)));
  for (const std::string name : host_settings)
    if (auto value = datastore->attribute("VMVAULT_" + name)) out[name] = *std::move(value);
  return out;
}

// What an earlier backup of the VM has left in other places than this one, which sees to itself.
// Without this it might remove snapshots of the next one later, which have the same names.  Returns
// the first failure; each is logged.
std::optional<Error> end_elsewhere(const Step& step, const LeftPlace& except, Cancel cancel) {
  std::optional<Error> first;
  for (const auto& place : left_places(step.vm_id())) {
    if (place == except) continue;
    HostCall call{place.host, step.host.request};
    call.request.bridge = place.bridge;
    if (!place.dir.empty()) call.request.vm_dir = place.dir;
    try {
      if (call.end(std::chrono::seconds{30}, cancel)) strike_out_place(step.vm_id(), place);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      log(Level::warn, "what an earlier backup left on " + place.host + " stays: " + e.what());
      if (!first) first = e;
    }
  }
  return first;
}

void begin(const Step& step) {
  step.host.enter();
  if (!step.bridge)
    return step.host.insist(step.host.command("begin")
                                .hold_input()
                                .stop_with({SIGTERM, std::chrono::seconds{3}})
                                .run());
  step.bridge->enter();
  begin_on_bridge(*step.bridge, step.host);
}

// Nothing where the disk is full: what is ended here may be what fills it.
std::optional<Running> noted_if_possible(int vm_id) try {
  return std::optional<Running>{std::in_place, vm_id, "postbackup"};
} catch (const AlreadyRunning&) {
  throw;
} catch (const Error& why) {
  log(Level::warn, why.what());
  return std::nullopt;
}

void end_once(const Request& request, When when) {
  Step step = read(request, when);
  try {
    hand_over_legacy_chain(request, step.host.request.vm);
  } catch (const Error& e) {  // what has to be put right, ours puts right as well
    log(Level::warn, e.what());
  }
  choose_reader(step);
  const auto running = noted_if_possible(step.vm_id());
  std::vector<HostCall> calls;
  // A guest that stands still comes first.
  const auto left = left_places(step.vm_id());
  if (step.bridge && std::find(left.begin(), left.end(), step.host.place()) != left.end())
    calls.push_back(step.host);
  calls.push_back(step.reader());
  std::optional<Error> first;
  for (const auto& call : calls) try {
      if (call.end(std::chrono::minutes{10}, Cancel::ignored)) call.strike_out();
    } catch (const Error& e) {
      if (!first) first = e;
    }
  if (first) throw *first;
}

}  // namespace

std::string prebackup(const Request& request, When when) {
  Step step = read(request, when);
  HostRequest& asked = step.host.request;
  hand_over_legacy_chain(request, asked.vm);
  const Running running{step.vm_id(), "prebackup"};
  asked.datastore = settings_of_datastore(asked.vm.backup.last_datastore_id);
  const auto alive = workers(step.vm_id());
  asked.take_over = std::none_of(alive.begin(), alive.end(),
                                 [](const Worker& worker) { return worker.phase == "backup"; });
  choose_reader(step);
  if (asked.take_over) end_elsewhere(step, step.reader().place(), Cancel::heeded);
  begin(step);
  return "";
}

std::string recover(const Request& request) {
  Step step = read(request, When::live);
  HostRequest& asked = step.host.request;
  asked.take_over = workers(step.vm_id()).empty();
  step.host.insist(
      step.host.command("recover", request["OPTION"]).deadline(std::chrono::hours{4}).run());
  if (!asked.take_over) return "";
  if (const auto failure = end_elsewhere(step, step.host.place(), Cancel::heeded)) throw *failure;
  return "";
}

// Nobody does it for us, since we never fail: an error that comes once must not be the end of it.
std::string postbackup(const Request& request, When when) {
  const auto begun = std::chrono::steady_clock::now();
  std::string first;
  try {
    end_once(request, when);
    return "";
  } catch (const BadRequest&) {
    throw;
  } catch (const std::exception& e) {
    if (std::chrono::steady_clock::now() - begun > std::chrono::minutes{1}) throw;
    first = e.what();
  }
  try {
    end_once(request, when);
  } catch (const std::exception& e) {
    if (e.what() != first) log(Level::warn, first);
    throw;
  }
  log(Level::warn, first + "; done again, it went well");
  return "";
}
