// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/calendar.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace vmvaultd {
namespace {

Time offset_at(Time time) {
  const std::time_t at = std::clamp<Time>(time, -last_time, last_time);
  std::tm tm{};
  localtime_r(&at, &tm);
  return tm.tm_gmtoff;
}

}  // namespace

Wall wall(Time time) {
  const Time shown = time + offset_at(time);
  const Time date = shown / day - (shown % day < 0);
  return {static_cast<int>(date), static_cast<int>(shown - date * day)};
}

// mktime() answers differently at the edges of summer time, depending on what it was asked before.
Time instant(const Wall& wanted) {
  const Time shown = wanted.date * day + wanted.second;
  const Time before = shown - offset_at(shown - day);
  if (wall(before) == wanted) return before;
  const Time after = shown - offset_at(shown + day);
  return wall(after) == wanted ? after : before;
}

std::chrono::year_month_day civil(int date) {
  return std::chrono::sys_days{std::chrono::days{date}};
}

int weekday(int date) { return ((date + 4) % 7 + 7) % 7; }

int day_of_year(int date) {
  const auto first = std::chrono::sys_days{civil(date).year() / std::chrono::January / 1};
  return date - static_cast<int>(first.time_since_epoch().count());
}

bool ends_month(int date) { return civil(date).month() != civil(date + 1).month(); }
bool ends_year(int date) { return civil(date).year() != civil(date + 1).year(); }

int iso_week(int date) {
  const int thursday = date - (weekday(date) + 6) % 7 + 3;
  return static_cast<int>(civil(thursday).year()) * 100 + day_of_year(thursday) / 7 + 1;
}

std::string wall_text(Time time) {
  const auto [date, second] = wall(time);
  const auto ymd = civil(date);
  return fmt::format("{}-{:02}-{:02} {:02}:{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     second / hour, second % hour / minute);
}

}  // namespace vmvaultd
