// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/driver_line.h"

#include <algorithm>

#include "common/number.h"

namespace mad {
namespace {

constexpr std::string_view blanks{" \t\r"};

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const auto word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

std::string rest_of(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return std::string{text.substr(0, text.find_last_not_of(blanks) + 1)};
}

}  // namespace

std::optional<DriverLine> parse_driver_line(std::string_view line) {
  const auto verb = take_word(line), status = take_word(line);
  if (verb == "LOG") {
    const auto id = parse_number(take_word(line));
    if (status.size() != 1 || std::string_view{"EWID"}.find(status) == status.npos || !id)
      return std::nullopt;
    return LogLine{.severity = status.front(), .id = *id, .text = rest_of(line)};
  }
  if (verb.empty() || (status != "SUCCESS" && status != "FAILURE")) return std::nullopt;
  Answer answer{.verb = std::string{verb}, .good = status == "SUCCESS", .id = -1, .info = {}};
  if (verb != "INIT") {
    const auto id = parse_number(take_word(line));
    if (!id) return std::nullopt;
    answer.id = *id;
  }
  answer.info = rest_of(line);
  return answer;
}

}  // namespace mad
