// SPDX-License-Identifier: Apache-2.0
// For tests: a manager that takes orders.
#pragma once

#include "drivers/lib/driver_record.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/test_manager.h"

namespace vmvaultd {

class DeskTest : public ManagerTest {
 protected:
  // So many machines that nothing asks a backup of; the first one.
  int idle_machines(int count) {
    settings.rpo = 0;
    reboot();
    std::vector<Machine> all;
    for (int i = 0; i < count; ++i)
      all.push_back({.uuid = "u" + std::to_string(i), .name = "vm" + std::to_string(i)});
    manager->machines(host, all, now);
    advance();
    return store.vms().front().id;
  }
  void reboot() {
    desk.reset();
    boot();
    desk.emplace(store, home, *manager, [this] { return now; });
  }
  void driver_has(int vm) {
    std::filesystem::create_directories(home.var() / "mad/kvm");
    front::Record::make(home.var() / "mad/kvm", vm);
  }
  // The command's.
  std::int64_t begin_others(int vm) { return store.begin(state::test_attempt(vm, now)); }
  // A backup of this machine, all of it.
  void back_up(int vm) {
    desk->backup(vm, -1, false);
    advance();
    prepare_all();
    stored(vm);
  }
  void answer(const std::string& verb, bool good, int id, const std::string& info) {
    manager->datastore_answer({.verb = verb, .good = good, .id = id, .info = info}, now);
    advance();
  }
  std::string backup_of(int vm) const { return "BACKUP " + std::to_string(vm); }
  std::string cancel_of(int vm) const { return "BACKUPCANCEL " + std::to_string(vm); }

  std::optional<Desk> desk;
};

}  // namespace vmvaultd
