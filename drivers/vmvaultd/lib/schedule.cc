// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/schedule.h"

#include <algorithm>
#include <limits>

#include "common/error.h"
#include "common/number.h"

namespace vmvaultd {
namespace {

struct Range {
  int first, last;
};

Range days_of(Repeat repeat) {
  switch (repeat) {
    case Repeat::weekly:
      return {0, 6};
    case Repeat::monthly:
      return {1, 31};
    case Repeat::yearly:
      return {0, 365};
    default:
      return {1, 167};
  }
}

bool listed(const Action& action, int date) {
  const auto& days = action.days;
  const auto has = [&](int number) { return std::binary_search(days.begin(), days.end(), number); };
  switch (action.repeat) {
    case Repeat::weekly:
      return has(weekday(date));
    case Repeat::monthly: {
      const int number = static_cast<int>(static_cast<unsigned>(civil(date).day()));
      return has(number) || (ends_month(date) && days.back() > number);
    }
    default:
      return has(day_of_year(date)) || (ends_year(date) && days.back() > day_of_year(date));
  }
}

// The first occurrence after `now`.
Time following(const Action& action, Time now) {
  if (now < action.anchor) return action.anchor;
  if (action.repeat == Repeat::hourly) {
    const Time period = action.days.front() * hour;
    return action.anchor + ((now - action.anchor) / period + 1) * period;
  }
  const int second = wall(action.anchor).second;
  for (int date = wall(now).date;; ++date)
    if (listed(action, date))
      if (const Time time = instant({date, second}); time > now) return time;
}

bool repeats(const Action& action) { return action.repeat != Repeat::none; }

}  // namespace

std::vector<int> parse_days(Repeat repeat, std::string_view text) {
  const auto [first, last] = days_of(repeat);
  std::vector<int> days;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    const auto word = text.substr(at, comma - at);
    const auto number = parse_int(word, first, last);
    if (!number)
      throw BadRequest{"DAYS: '" + std::string{word} + "' is not from " + std::to_string(first) +
                       " to " + std::to_string(last)};
    days.push_back(*number);
    at = comma + 1;
  }
  if (repeat == Repeat::hourly && days.size() != 1)
    throw BadRequest{"DAYS: an hourly action has one period"};
  std::sort(days.begin(), days.end());
  days.erase(std::unique(days.begin(), days.end()), days.end());
  return days;
}

void check(const Action& action) {
  const auto possible = [](Time time) { return time >= 0 && time <= last_time; };
  if (!possible(action.time) || !possible(action.anchor))
    throw BadRequest{"TIME of action " + std::to_string(action.id) + " is no time"};
  const auto [first, last] = days_of(action.repeat);
  const auto& days = action.days;
  if (repeats(action) &&
      (days.empty() || !std::is_sorted(days.begin(), days.end()) || days.front() < first ||
       days.back() > last || (action.repeat == Repeat::hourly && days.size() != 1)))
    throw BadRequest{"DAYS of action " + std::to_string(action.id) + " cannot be"};
  if (action.end != End::never && !possible(action.end_value))
    throw BadRequest{"END_VALUE of action " + std::to_string(action.id) + " cannot be"};
}

std::optional<Time> due(const Action& action) {
  if (action.time <= action.done) return std::nullopt;
  if (action.end == End::times && action.end_value <= 0) return std::nullopt;
  if (action.end == End::date && action.time > action.end_value) return std::nullopt;
  return action.time;
}

void advance(Action& action, Time now) {
  action.done = std::max(now, action.time);
  action.message.clear();
  if (!repeats(action)) return;
  if (action.end == End::times) --action.end_value;
  action.time = following(action, action.done);
}

void set_back(Action& action, Time now) {
  if (!repeats(action)) return;
  // The coming one is done already if the clock stood between it and the one after it: then it was
  // not far ahead.
  const Time coming = following(action, now), next = following(action, coming);
  const bool is_done = coming <= action.done && action.done < next;
  action.time = std::min(action.time, is_done ? next : coming);
  action.done = std::min(action.done, action.time - 1);
}

}  // namespace vmvaultd
