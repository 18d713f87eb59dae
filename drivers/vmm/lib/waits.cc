// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/waits.h"

#include <poll.h>

#include <chrono>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/core.h"

using Clock = std::chrono::steady_clock;

namespace front {
namespace {

constexpr std::chrono::minutes limit{5};

void rest(std::chrono::milliseconds time) {
  pollfd cancelled{cancel::fd(), POLLIN, 0};
  poll(&cancelled, 1, static_cast<int>(time.count()));
  cancel::check();
}

}  // namespace

std::optional<std::string> backups_of(const XmlNode& vm) {
  const auto backups = vm.first("BACKUPS");
  if (!backups) return std::nullopt;
  std::string all;
  for (const auto* name : {"LAST_INCREMENT_ID", "INCREMENTAL_BACKUP_ID"}) {
    const auto value = backups->find(std::string{"BACKUP_CONFIG/"} + name).value_or("");
    all += (value.empty() ? "-1" : value) + ":";
  }
  for (const auto& id : backups->find_all("BACKUP_IDS/ID")) all += id.text() + ",";
  return all;
}

Waits core_waits_for(std::int64_t vm_id, const std::optional<std::string>& before) {
  const auto end = Clock::now() + limit;
  for (;;) try {
      const auto vm = vm_from_core(static_cast<int>(vm_id));
      const auto state = vm.root().find_number("LCM_STATE");
      if (state != 69 && state != 70) return Waits::no;
      const auto has = backups_of(vm.root());
      rest(std::chrono::seconds{1});
      return !before || !has || *has == *before ? Waits::yes : Waits::other;
    } catch (const Cancelled&) {
      throw;
    } catch (const Error&) {
      if (Clock::now() >= end) return Waits::unknown;
      rest(std::chrono::seconds{2});
    }
}

}  // namespace front
