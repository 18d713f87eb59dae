// SPDX-License-Identifier: Apache-2.0
// A line that a driver says to its core (contract 2.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mad {

struct Answer {
  std::string verb;
  bool good = false;
  std::int64_t id = -1;
  std::string info;  // "-" for none
};

struct LogLine {
  char severity = 'I';  // E W I D
  std::int64_t id = -1;
  std::string text;
};

using DriverLine = std::variant<Answer, LogLine>;

// nullopt for a line that is none of those.  "INIT SUCCESS" is an Answer without an id.
std::optional<DriverLine> parse_driver_line(std::string_view line);

}  // namespace mad
