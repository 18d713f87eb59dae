// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/json.h"

#include <cstdio>

#include "drivers/cli/lib/display.h"

namespace cli {

std::uint64_t bytes(const state::ImageRecord& image) {
  std::uint64_t sum = 0;
  for (const auto& one : image.increments) sum += one.bytes;
  return sum;
}

std::string state_text(const App& app, const state::ImageRecord& image) {
  if (image.half_deleted()) return "deleting";
  if (image.state == state::ImageState::locked) return "flattening";
  const auto vm = app.store().vm(image.vm);
  return vm && vm->active_image == image.id ? "ready, active" : "ready";
}

std::string damage_of(const state::ImageRecord& image) {
  for (const auto& one : image.increments)
    if (!one.damage.empty()) return "increment " + std::to_string(one.id) + ", " + one.damage;
  return "";
}

std::string proof_text(const state::BackupRecord& backup) {
  if (!backup.damage.empty()) return "CORRUPT";
  return backup.proven ? local_time(*backup.proven) : "-";
}

Json summary(const App& app, const state::ImageRecord& image) {
  const auto vm = app.store().vm(image.vm).value();
  Json out{{"id", image.id},
           {"vm", {{"id", vm.id}, {"name", vm.name}, {"uuid", vm.uuid}}},
           {"datastore", image.datastore},
           {"mode", image.mode == Mode::full ? "FULL" : "INCREMENT"},
           {"state", state::to_text(image.state)},
           {"active", vm.active_image == image.id},
           {"created", utc_time(image.created)},
           {"newest", nullptr},
           {"increments", image.increments.size()},
           {"bytes", bytes(image)},
           {"proven", nullptr},
           {"damage", damage_of(image)}};
  if (image.increments.empty()) return out;
  const auto& newest = image.increments.back();
  out["newest"] = utc_time(newest.date);
  if (newest.proven) out["proven"] = utc_time(*newest.proven);
  return out;
}

std::optional<state::CaptureResult> result_of(const state::BackupRecord& backup) {
  if (backup.result.empty()) return std::nullopt;
  return state::parse_result(backup.result);
}

void print(const Json& document) {
  const auto text = document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fputs(text.c_str(), stdout);
}

}  // namespace cli
