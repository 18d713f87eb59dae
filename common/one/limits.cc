// SPDX-License-Identifier: Apache-2.0
#include "common/one/limits.h"

#include <cctype>

#include "common/error.h"
#include "common/number.h"

namespace {

int checked(std::int64_t number, const confine::Field& field, const std::string& what) {
  if (number < field.least || number > field.most)
    throw BadRequest{"the " + what + " is not one of " + std::to_string(field.least) + " to " +
                     std::to_string(field.most)};
  return static_cast<int>(number);
}

}  // namespace

confine::Limits limits_of(const Datastore& datastore, const std::string& prefix) {
  confine::Limits limits;
  for (const auto& field : confine::fields) {
    const std::string name = prefix + "_" + field.name;
    const auto number = datastore.number(name, -1);
    if (number != -1)
      limits.*field.value =
          checked(number, field, name + " of datastore " + std::to_string(datastore.id()));
  }
  return limits;
}

std::string attribute_prefix(const Datastore& datastore) {
  std::string out = datastore.ds_mad();
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

Settings to_settings(const confine::Limits& limits) {
  Settings out;
  for (const auto& field : confine::fields)
    if (const auto value = limits.*field.value) out[field.name] = std::to_string(*value);
  return out;
}

confine::Limits limits_from(const Settings& settings) {
  confine::Limits limits;
  for (const auto& field : confine::fields) {
    const auto found = settings.find(field.name);
    if (found == settings.end() || found->second.empty()) continue;
    const auto number = parse_number(found->second);
    if (!number) throw BadRequest{"the limit " + found->first + " is not a number"};
    if (*number == -1 && field.least > 0) continue;
    limits.*field.value = checked(*number, field, "limit " + found->first);
  }
  return limits;
}

std::string group_of(int datastore_id) {
  return datastore_id < 0 ? "backup" : "backup." + std::to_string(datastore_id);
}
