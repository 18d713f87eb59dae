// SPDX-License-Identifier: Apache-2.0
// JSON that somebody else may have written.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

// As nlohmann::json::parse, and with the same exceptions; but fractions below 0 and above 2^31 are
// out of range, too: to read one as a whole number, as get<int>() would, has no defined result.
nlohmann::json parse_json(std::string_view text);
