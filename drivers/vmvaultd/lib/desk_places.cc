// SPDX-License-Identifier: Apache-2.0
// Orders about datastores and hosts.
#include "common/error.h"
#include "common/number.h"
#include "drivers/lib/vm_config.h"
#include "drivers/vmvaultd/lib/desk.h"

namespace vmvaultd {
namespace {

std::optional<int> limit(const std::string& value) {
  if (value.empty()) return std::nullopt;
  if (const auto found = parse_int(value, 0)) return found;
  throw BadRequest{"MAX_BACKUPS is a number, 0 or more, not '" + one_line(value) + "'"};
}

// "0-3,^2,7", as libvirt has it.
std::string cpus(const std::string& value) {
  if (value.find_first_not_of("0123456789,-^") == value.npos) return value;
  throw BadRequest{"EMULATOR_CPUS is a list of processors, not '" + one_line(value) + "'"};
}

}  // namespace

void Desk::configure_datastore(int id, const Attributes& attributes) {
  insist_on_datastore(id);
  Attributes rules = attributes;
  for (const char* name : {"MAX_BACKUPS", "BACKUP_WINDOW"}) rules.erase(name);
  auto change = state::checked_config(rules);
  for (const char* name : {"MODE", "INCREMENT_MODE", "FS_FREEZE", "BACKUP_VOLATILE", "DISK_IDS",
                           "INTERACTIVE", "DATASTORE_ID"})
    if (change.contains(name))
      throw BadRequest{std::string{name} + " is of machines and jobs, not of datastores"};
  for (const auto& [name, value] : attributes) {
    if (name == "MAX_BACKUPS") limit(value);
    if (name == "BACKUP_WINDOW" && !value.empty()) Window::parse(value);
    change[name] = value;
  }
  store_.put_settings(state::Store::Subject::datastore, id, change);
  manager_.settings_changed(clock_());
}

void Desk::configure_host(int id, const Attributes& attributes) {
  for (auto record : pools_.hosts()) {
    if (record.host.id != id) continue;
    for (const auto& [name, value] : attributes) {
      if (name == "MAX_BACKUPS")
        record.host.limit = limit(value);
      else if (name == "EMULATOR_CPUS")
        record.emulator_cpus = cpus(value);
      else
        throw BadRequest{"'" + one_line(name) + "' is nothing that is set of a host"};
    }
    pools_.put(record);
    return manager_.change([&](Scheduler& core) { core.put(record.host); });
  }
  throw NoSuchObject{"host", id};
}

}  // namespace vmvaultd
