// SPDX-License-Identifier: Apache-2.0
// Instants, and what the clock on the wall shows at them.
//
// The wall is that of the process: TZ, or /etc/localtime.  Wall time that is skipped when the clock
// goes forward is moved on by what was skipped (02:30 becomes 03:30); of wall time that comes twice
// the first is meant.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vmvaultd {

using Time = std::int64_t;  // seconds since 1970

inline constexpr Time minute = 60, hour = 60 * minute, day = 24 * hour;
inline constexpr Time last_time = 253'402'300'799;  // the year 9999 ends

// A date by its number: 0 is the first of 1970.
struct Wall {
  int date = 0;
  int second = 0;  // since midnight as the wall shows it
  bool operator==(const Wall&) const = default;
};

Wall wall(Time time);
Time instant(const Wall& wall);

std::chrono::year_month_day civil(int date);
int weekday(int date);      // 0 is Sunday
int day_of_year(int date);  // 0 is the first of January
bool ends_month(int date);
bool ends_year(int date);

// Years by their weeks, as ISO 8601 counts them: yyyyww.  A week begins on Monday.
int iso_week(int date);

std::string wall_text(Time time);  // "2026-03-29 01:30"

}  // namespace vmvaultd
