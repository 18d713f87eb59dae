// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/tidy.h"

#include <map>
#include <optional>

#include "drivers/lib/restores.h"
#include "drivers/lib/vm_config.h"

namespace vmvaultd {
namespace {

BackupImage image_of(const state::ImageRecord& record, const std::optional<int>& active,
                     bool is_restored) {
  BackupImage image{.id = record.id,
                    .is_protected = record.is_protected,
                    .active = record.id == active,
                    .busy = record.state != state::ImageState::ready || is_restored};
  for (const auto& one : record.increments)
    image.points.push_back({.increment = one.id, .time = one.date, .damaged = !one.damage.empty()});
  return image;
}

}  // namespace

std::vector<RetentionPlan> plans_of(state::Store& store, const RuleBook& rules,
                                    const state::VmRecord& machine,
                                    const std::vector<state::ImageRecord>& images, Time now) {
  std::map<int, std::vector<BackupImage>> places;
  const auto restored = state::Restores{store}.origins();
  for (const auto& record : images)
    if (!record.half_deleted())
      places[record.datastore].push_back(
          image_of(record, machine.active_image, restored.contains(record.id)));
  const auto own = state::effective_config(store, machine.id);
  std::vector<RetentionPlan> plans;
  for (const auto& [datastore, those] : places)
    plans.push_back(plan_retention(those, with(rules.of(machine.id, datastore), own).keep, now));
  return plans;
}

}  // namespace vmvaultd
