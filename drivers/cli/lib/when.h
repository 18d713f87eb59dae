// SPDX-License-Identifier: Apache-2.0
// Moments, as people write them.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

// "now", "+3600" (seconds), "1790000000" (since 1970), "22:30" (the next time that it is), or
// "2026-11-30 22:30", "2026-11-30 22:30:15" of this machine's clock.  BadRequest for anything else.
std::int64_t parse_when(const std::string& text, std::int64_t now);
// The same; BadRequest also for a moment before the present minute.
std::int64_t parse_time_to_come(const std::string& text, std::int64_t now);

}  // namespace cli
