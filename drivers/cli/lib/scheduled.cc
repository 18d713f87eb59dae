// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/scheduled.h"

#include <array>
#include <optional>

#include "common/error.h"
#include "common/number.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/when.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};

struct Rule {
  const char* repeat;  // REPEAT
  std::string days;    // DAYS
};

std::optional<Rule> rule_of(const ScheduleWords& words) {
  std::optional<Rule> found;
  const std::array<Rule, 5> all{{{"0", words.daily ? "0,1,2,3,4,5,6" : ""},
                                 {"0", words.weekly},
                                 {"1", words.monthly},
                                 {"2", words.yearly},
                                 {"3", words.hourly}}};
  for (const auto& one : all) {
    if (one.days.empty()) continue;
    if (found)
      throw BadRequest{"only one of --daily, --weekly, --monthly, --yearly and --hourly can be"};
    found = one;
  }
  return found;
}

void add_end(one::Pairs& action, const std::string& end, std::int64_t now) {
  constexpr int most_times = 1'000'000;  // what is more is a time, in seconds since 1970
  const auto times = parse_int(end, 1, most_times);
  action.emplace_back("END_TYPE", times ? "1" : "2");
  action.emplace_back("END_VALUE", std::to_string(times ? *times : parse_time_to_come(end, now)));
}

struct Removal {
  std::string object;
  int action = -1;
};

}  // namespace

void add_schedule_options(CLI::App* verb, ScheduleWords& words) {
  verb->add_option("--schedule", words.at, "When: HH:MM, 'YYYY-MM-DD HH:MM', +SECONDS")
      ->type_name("TIME");
  verb->add_flag("--daily", words.daily, "Each day from then on, at that time");
  verb->add_option("--weekly", words.weekly, "On these days of the week (0,6: Sunday, Saturday)")
      ->type_name("DAYS");
  verb->add_option("--monthly", words.monthly, "On these days of the month")->type_name("DAYS");
  verb->add_option("--yearly", words.yearly, "On these days of the year")->type_name("DAYS");
  verb->add_option("--hourly", words.hourly, "Again each time that so many hours have passed")
      ->type_name("HOURS");
  verb->add_option("--end", words.end, "After so many times, or at a TIME")->type_name("N|TIME");
}

bool is_scheduled(const ScheduleWords& words) {
  return !words.at.empty() || !words.end.empty() || is_repeated(words);
}

bool is_repeated(const ScheduleWords& words) { return rule_of(words).has_value(); }

one::Attribute scheduled_action(const ScheduleWords& words, std::int64_t now) {
  const auto rule = rule_of(words);
  if (words.at.empty()) throw BadRequest{"when the first is has to be said, too (--schedule TIME)"};
  if (!rule && !words.end.empty())
    throw BadRequest{"--end is for what is repeated (--daily, --weekly...)"};
  one::Pairs action{{"ACTION", "backup"},
                    {"TIME", std::to_string(parse_time_to_come(words.at, now))}};
  if (rule) {
    action.emplace_back("REPEAT", rule->repeat);
    action.emplace_back("DAYS", rule->days);
  }
  if (!words.end.empty()) add_end(action, words.end, now);
  return {"SCHED_ACTION", std::move(action)};
}

void add_schedule_removal(Tree& tree, CLI::App* command, Kind kind) {
  auto words = std::make_shared<Removal>();
  auto* verb = command->add_subcommand("sched-delete", "Its scheduled backup is made no more");
  add_id(verb, kind, words->object);
  verb->add_option("ACTION", words->action, "Which, as show numbers them")
      ->type_name(type::number)
      ->required();
  tree.does(verb, words, [kind](Context& with, auto& one) {
    const auto* method = kind == Kind::job ? "one.backupjob.scheddelete" : "one.vm.scheddelete";
    with.service().number(method, {object_id(with, kind, one.object), one.action}, patience);
  });
}

}  // namespace cli
