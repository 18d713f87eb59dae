// SPDX-License-Identifier: Apache-2.0
// Backups at other times, again and again: OpenNebula's scheduled actions (contract 5.8), and the
// options that its commands have for them.
#pragma once

#include <cstdint>
#include <string>

#include "common/one/template.h"
#include "drivers/cli/lib/kinds.h"
#include "drivers/cli/lib/tree.h"

namespace cli {

struct ScheduleWords {
  std::string at;  // as parse_time_to_come() reads it; empty: not at another time
  std::string weekly, monthly, yearly, hourly, end;
  bool daily = false;
};

// --schedule, --daily, --weekly...
void add_schedule_options(CLI::App* verb, ScheduleWords& words);

// Is there any of these words; and do they say more than once?
bool is_scheduled(const ScheduleWords& words);
bool is_repeated(const ScheduleWords& words);

// SCHED_ACTION = [ TIME, REPEAT, DAYS, END_TYPE, END_VALUE ].  BadRequest for words that do not go
// together, and for a time that is none, or past.
one::Attribute scheduled_action(const ScheduleWords& words, std::int64_t now);

// The verb sched-delete, of machines or of jobs.
void add_schedule_removal(Tree& tree, CLI::App* command, Kind kind);

}  // namespace cli
