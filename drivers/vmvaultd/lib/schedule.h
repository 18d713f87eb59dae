// SPDX-License-Identifier: Apache-2.0
// Scheduled backups, as OpenNebula's scheduled actions say them (contract 5.8).
//
// What is better here than in the stock core: the time of day on the wall stays the same over
// summer time; a month that is too short for its day (31) takes its last, and so does a year (365);
// what was missed while nobody looked is made up for once, and not once per miss; an action whose
// time is exactly now is due.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/vmvaultd/lib/calendar.h"

namespace vmvaultd {

enum class Repeat { none = -1, weekly = 0, monthly = 1, yearly = 2, hourly = 3 };
enum class End { never = 0, times = 1, date = 2 };
enum class Subject { vm, job };

struct Action {
  int id = -1;
  Subject subject = Subject::vm;
  int parent = -1;  // id of that VM or job
  Time time = 0;    // the next occurrence
  Repeat repeat = Repeat::none;
  std::vector<int> days{};  // sorted; of hourly ones: the period in hours
  End end = End::never;
  Time end_value = 0;
  Time anchor = 0;     // TIME as it was given: its time of day is that of all occurrences
  Time done = -1;      // when it was last carried out
  int datastore = -1;  // of a VM's
  bool reset = false;
  std::string message{};  // what went wrong the last time
  bool operator==(const Action&) const = default;
};

// "1,3,5".  BadRequest, naming it, for a day that such an action cannot have, and for none.
std::vector<int> parse_days(Repeat repeat, std::string_view text);

// BadRequest for an action that cannot be: a time that is none, a count below 0...
void check(const Action& action);

// When it is to be carried out next (now or later; the past: it is overdue); nullopt: never again.
std::optional<Time> due(const Action& action);

// It was carried out at `now`.
void advance(Action& action, Time now);

// After the clock was set back: the next occurrence is the first from `now` on, or, if that was
// carried out a little too early, the second.
void set_back(Action& action, Time now);

}  // namespace vmvaultd
