// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/when.h"

#include <ctime>
#include <optional>

#include "common/error.h"
#include "common/number.h"

namespace cli {
namespace {

// The whole of `text`, after `of`; a value that does not exist (February 30) is none.
std::optional<std::int64_t> read(const std::string& text, const char* format, std::tm of) {
  const char* end = strptime(text.c_str(), format, &of);
  if (!end || *end != '\0') return std::nullopt;
  of.tm_isdst = -1;
  const auto day = of.tm_mday;
  const auto time = std::mktime(&of);
  if (time == -1 || of.tm_mday != day) return std::nullopt;
  return time;
}

}  // namespace

std::int64_t parse_when(const std::string& text, std::int64_t now) {
  if (text == "now") return now;
  constexpr std::int64_t most = 4'000'000'000;
  const bool relative = text.starts_with('+');
  if (const auto number = parse_number(relative ? text.substr(1) : text);
      number && *number >= 0 && *number <= most)
    return relative ? now + *number : *number;
  std::tm today{};
  const auto then = static_cast<std::time_t>(now);
  localtime_r(&then, &today);
  today.tm_sec = 0;
  if (const auto time = read(text, "%H:%M", today)) {
    if (*time > now) return *time;
    ++today.tm_mday;
    today.tm_hour = 12;  // whatever becomes of summer time
    today.tm_isdst = -1;
    std::mktime(&today);
    return read(text, "%H:%M", today).value_or(*time);
  }
  for (const auto* format : {"%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"})
    if (const auto time = read(text, format, std::tm{})) return *time;
  throw BadRequest{"'" + one_line(text) +
                   "' is no time: write now, +SECONDS, HH:MM or 'YYYY-MM-DD HH:MM'"};
}

std::int64_t parse_time_to_come(const std::string& text, std::int64_t now) {
  const auto time = parse_when(text, now);
  if (time <= now - 60) throw BadRequest{"'" + one_line(text) + "' is past"};
  return time;
}

}  // namespace cli
