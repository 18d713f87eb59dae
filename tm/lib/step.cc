// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/step.h"

#include <algorithm>

#include "common/base64.h"
#include "common/command.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/core.h"
#include "common/one/left_hosts.h"
#include "common/one/limits.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "common/one/running.h"
#include "common/one/stock.h"
#include "tm/lib/host_request.h"

namespace {

struct Step {
  std::string host;
  HostRequest request;
};

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
  // The guest is here, and its disks are read there.
  if (!out.vm.backup.last_bridge.empty() && out.rbd_disks().size() == out.disk_ids.size())
    hand_to_stock(request, "all disks are in Ceph, and are uploaded from " +
                               one_line(out.vm.backup.last_bridge) + " (BRIDGE_LIST)");
  out.live = when == When::live;
  out.libvirt_uri = libvirt_uri_on(location.host);
  for (const char* name : host_settings)
    if (const auto value = setting(name)) out.settings[name] = *value;
  return {std::move(location.host), std::move(out)};
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

Command backup_host(const Step& step, std::string_view verb, std::string_view option = "") {
  const bool here = is_this_machine(step.host);
  const auto root = here ? remotes_root() : remote_root();
  Command command{(root / "tm/host/backup_host").string(), verb};
  if (!option.empty()) command.arg(option);
  if (!here) command = command.on(step.host);
  command.input(base64_encode(step.request.to_xml()) + "\n");
  return command.err_lines(pass_log_line);
}

void insist(const Step& step, const Finished& finished) {
  if (finished.ok()) return;
  const std::string why = last_plain_line(finished.err);
  if (!why.empty() && finished.status != ssh_failed)
    throw Error{why, finished.status == static_cast<int>(Exit::bad_request) ? Exit::bad_request
                                                                            : Exit::failed};
  throw Error{"backup_host on " + step.host + " ended with status " +
              std::to_string(finished.status) + (why.empty() ? "" : ": " + why)};
}

}  // namespace

std::string prebackup(const Request& request, When when) {
  Step step = read(request, when);
  hand_over_legacy_chain(request, step.request.vm);
  const Running running{step.request.vm.id, "prebackup"};
  step.request.datastore = settings_of_datastore(step.request.vm.backup.last_datastore_id);
  const auto alive = workers(step.request.vm.id);
  step.request.take_over = std::none_of(
      alive.begin(), alive.end(), [](const Worker& worker) { return worker.phase == "backup"; });
  if (!is_this_machine(step.host)) enter_host(step.request.vm.id, step.host);
  insist(
      step,
      backup_host(step, "begin").hold_input().stop_with({SIGTERM, std::chrono::seconds{3}}).run());
  return "";
}

std::string recover(const Request& request) {
  Step step = read(request, When::live);
  step.request.take_over = workers(step.request.vm.id).empty();
  insist(step,
         backup_host(step, "recover", request["OPTION"]).deadline(std::chrono::hours{4}).run());
  return "";
}

std::string postbackup(const Request& request, When when) {
  const Step step = read(request, when);
  try {
    hand_over_legacy_chain(request, step.request.vm);
  } catch (const Error& e) {  // what has to be put right, ours puts right as well
    log(Level::warn, e.what());
  }
  const Running running{step.request.vm.id, "postbackup"};
  const auto end = [&] {
    return backup_host(step, "end").shielded().deadline(std::chrono::minutes{10}).run();
  };
  auto finished = end();
  // It died, or the way to it: until it is done, the host keeps what the backup needed.
  if (finished.status > 128) finished = end();
  insist(step, finished);
  strike_out_host(step.request.vm.id);
  return "";
}
