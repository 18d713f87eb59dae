// SPDX-License-Identifier: Apache-2.0
// Text for people: sizes, times, tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

std::string size_text(std::uint64_t bytes);       // "512 B", "82.0 MiB"
std::string duration_text(std::int64_t seconds);  // "12 s", "3 min 5 s", "2 h 10 min", "3 d 4 h"
std::string local_time(std::int64_t seconds);     // "2026-11-20 11:35:02"
std::string utc_time(std::int64_t seconds);       // "2026-11-20T11:35:02Z"
std::string count_text(std::size_t n, std::string_view noun);  // "1 image", "2 images"

// Without control characters, also those of Unicode's C1: foreign names cannot steer a terminal.
std::string printable(std::string_view text);

// Columns as wide as they must be, two blanks between; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

// "vmvault: text" on stderr.
void note(std::string_view text);
// The same of a line that an action has logged, if it is a warning.
void note_warning(std::string_view line);

}  // namespace cli
