// SPDX-License-Identifier: Apache-2.0
#include "common/number.h"

#include <charconv>
#include <system_error>

std::optional<std::int64_t> parse_number(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int> parse_int(std::string_view text, int least, int most) {
  const auto number = parse_number(text);
  if (!number || *number < least || *number > most) return std::nullopt;
  return static_cast<int>(*number);
}
