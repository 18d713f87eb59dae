// SPDX-License-Identifier: Apache-2.0
#include "common/json.h"

namespace {

using nlohmann::json;

void check(const json& value) {
  constexpr double most = 1U << 31;
  if (value.is_number_float() && !(value.get<double>() >= 0 && value.get<double>() <= most - 1))
    throw json::out_of_range::create(406, "number overflow", nullptr);
  if (value.is_structured())
    for (const auto& part : value) check(part);
}

}  // namespace

// The parser itself bounds no depth; a document of our own has few levels.
json parse_json(std::string_view text) {
  auto value = json::parse(text, [](int depth, json::parse_event_t, json&) {
    if (depth > 100) throw json::out_of_range::create(408, "too deep", nullptr);
    return true;
  });
  check(value);
  return value;
}
