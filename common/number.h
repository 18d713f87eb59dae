// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <climits>
#include <cstdint>
#include <optional>
#include <string_view>

// The whole text as a decimal number, with an optional sign; no blanks.  nullopt: it is none, or
// does not fit.
std::optional<std::int64_t> parse_number(std::string_view text);

// The same, from `least` to `most`.
std::optional<int> parse_int(std::string_view text, int least = 0, int most = INT_MAX);
