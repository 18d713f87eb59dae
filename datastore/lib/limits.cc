// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/limits.h"

#include "common/error.h"
#include "common/one/action.h"

namespace {

std::optional<int> level(const Datastore& datastore, const std::string& name, int least, int most) {
  const auto number = datastore.number(name, -1);
  if (number == -1) return std::nullopt;
  if (number < least || number > most)
    throw BadRequest{"the " + name + " of datastore " + std::to_string(datastore.id()) +
                     " is not one of " + std::to_string(least) + " to " + std::to_string(most)};
  return static_cast<int>(number);
}

}  // namespace

Limits Limits::of(const Datastore& datastore, const std::string& prefix) {
  Limits limits{.priority = {.nice = level(datastore, prefix + "_NICE", -20, 19),
                             .ionice = level(datastore, prefix + "_IONICE", 0, 7)},
                .unsupported = {}};
  for (const auto* name : {"_MAX_RIOPS", "_MAX_WIOPS", "_CPU_QUOTA", "_MEMORY_MAX_MB"})
    if (datastore.number(prefix + name, -1) != -1) limits.unsupported.push_back(prefix + name);
  return limits;
}

void Limits::warn() const {
  for (const auto& name : unsupported) log(Level::warn, name + " is not supported yet: no limit");
}
