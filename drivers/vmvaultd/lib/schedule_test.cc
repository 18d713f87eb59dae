// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/schedule.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

// Summer time in Berlin: from 2026-03-29 02:00 to 2026-10-25 03:00.
class ScheduleTest : public testing::Test {
 protected:
  ScopedZone zone_{berlin_time};

  static Time at(int year, unsigned month, unsigned date, int hours, int minutes = 0) {
    const auto day_number = std::chrono::sys_days{std::chrono::year{year} /
                                                  static_cast<int>(month) / static_cast<int>(date)};
    return instant(
        {static_cast<int>(day_number.time_since_epoch().count()), hours * 3600 + minutes * 60});
  }

  static Action action(Repeat repeat, std::vector<int> days, Time time) {
    Action made{.id = 1, .time = time, .repeat = repeat, .days = std::move(days), .anchor = time};
    check(made);
    return made;
  }

  // When it is carried out, each time as soon as it is due.
  static std::vector<std::string> occurrences(Action it, int count) {
    std::vector<std::string> times;
    for (int n = 0; n < count; ++n) {
      const auto time = due(it);
      if (!time) break;
      times.push_back(wall_text(*time));
      advance(it, *time);
    }
    return times;
  }
  using Times = std::vector<std::string>;
};

TEST_F(ScheduleTest, IsCarriedOutOnceWithoutRepetition) {
  Action once = action(Repeat::none, {}, 1000);
  EXPECT_EQ(due(once), 1000);
  advance(once, 1000);
  EXPECT_EQ(due(once), std::nullopt);
}

TEST_F(ScheduleTest, TakesTheListedDaysOfTheWeekAfterItsFirstTime) {
  EXPECT_EQ(
      occurrences(action(Repeat::weekly, {1, 5}, at(2026, 9, 2, 23)), 4),
      (Times{"2026-09-02 23:00", "2026-09-04 23:00", "2026-09-07 23:00", "2026-09-11 23:00"}));
}

TEST_F(ScheduleTest, StandsStillOnTheWallWhenSummerTimeEndsAndBegins) {
  const std::vector every_day{0, 1, 2, 3, 4, 5, 6};
  EXPECT_EQ(occurrences(action(Repeat::weekly, every_day, at(2026, 10, 24, 22)), 3),
            (Times{"2026-10-24 22:00", "2026-10-25 22:00", "2026-10-26 22:00"}));
  EXPECT_EQ(occurrences(action(Repeat::weekly, every_day, at(2026, 3, 28, 2, 30)), 3),
            (Times{"2026-03-28 02:30", "2026-03-29 03:30", "2026-03-30 02:30"}));
}

TEST_F(ScheduleTest, ComesOnceInTheHourThatComesTwice) {
  Action it = action(Repeat::weekly, {0, 6}, at(2026, 10, 24, 2, 30));
  advance(it, it.time);
  EXPECT_EQ(it.time, 1'792'888'200);  // 00:30 UTC, in summer time
  advance(it, it.time);
  EXPECT_EQ(wall_text(it.time), "2026-10-31 02:30");
}

TEST_F(ScheduleTest, CountsHoursAsTheyPass) {
  EXPECT_EQ(occurrences(action(Repeat::hourly, {12}, at(2026, 10, 24, 22)), 3),
            (Times{"2026-10-24 22:00", "2026-10-25 09:00", "2026-10-25 21:00"}));
}

TEST_F(ScheduleTest, TakesTheLastDayOfAMonthOrYearThatIsTooShort) {
  EXPECT_EQ(
      occurrences(action(Repeat::monthly, {31}, at(2027, 12, 31, 1)), 4),
      (Times{"2027-12-31 01:00", "2028-01-31 01:00", "2028-02-29 01:00", "2028-03-31 01:00"}));
  EXPECT_EQ(occurrences(action(Repeat::monthly, {30, 31}, at(2027, 1, 31, 1)), 3),
            (Times{"2027-01-31 01:00", "2027-02-28 01:00", "2027-03-30 01:00"}));
  EXPECT_EQ(
      occurrences(action(Repeat::yearly, {59, 365}, at(2027, 3, 1, 1)), 4),
      (Times{"2027-03-01 01:00", "2027-12-31 01:00", "2028-02-29 01:00", "2028-12-31 01:00"}));
}

TEST_F(ScheduleTest, EndsAfterItsNumberOfTimesOrItsDate) {
  auto counted = action(Repeat::hourly, {1}, 3600);
  counted.end = End::times;
  counted.end_value = 3;
  EXPECT_EQ(occurrences(counted, 9).size(), 3U);
  counted.end_value = 0;
  EXPECT_EQ(due(counted), std::nullopt);

  auto dated = action(Repeat::hourly, {1}, 3600);
  dated.end = End::date;
  dated.end_value = 3 * 3600;  // that one is part of it
  EXPECT_EQ(occurrences(dated, 9).size(), 3U);
}

TEST_F(ScheduleTest, MakesUpOnceForWhatWasMissed) {
  auto it = action(Repeat::hourly, {1}, 3600);
  advance(it, 10 * 3600 + 5);
  EXPECT_EQ(it.time, 11 * 3600);
  advance(it, 11 * 3600);  // exactly then
  EXPECT_EQ(it.time, 12 * 3600);
}

TEST_F(ScheduleTest, ComesBackWhenTheClockWasFarAhead) {
  auto it = action(Repeat::weekly, {0, 1, 2, 3, 4, 5, 6}, at(2026, 6, 1, 1));
  advance(it, at(2031, 1, 1, 0));
  set_back(it, at(2026, 6, 2, 12));
  EXPECT_EQ(wall_text(*due(it)), "2026-06-03 01:00") << "none is left out";
  set_back(it, at(2026, 6, 2, 13));  // by a service that starts
  EXPECT_EQ(wall_text(*due(it)), "2026-06-03 01:00");
  // An hour back after it was carried out: not again.
  auto fresh = action(Repeat::weekly, {0, 1, 2, 3, 4, 5, 6}, at(2026, 6, 1, 1));
  advance(fresh, at(2026, 6, 1, 1));
  set_back(fresh, at(2026, 6, 1, 0));
  EXPECT_EQ(wall_text(*due(fresh)), "2026-06-02 01:00");
}

TEST_F(ScheduleTest, RefusesWhatIsNoDay) {
  EXPECT_EQ(parse_days(Repeat::weekly, "5,1,5"), (std::vector{1, 5}));
  for (const char* wrong : {"", "7", "-1", "1,", "x", "1 2"})
    EXPECT_THROW(parse_days(Repeat::weekly, wrong), BadRequest) << wrong;
  EXPECT_THROW(parse_days(Repeat::monthly, "0"), BadRequest);
  EXPECT_THROW(parse_days(Repeat::yearly, "366"), BadRequest);
  EXPECT_THROW(parse_days(Repeat::hourly, "168"), BadRequest);
  EXPECT_THROW(parse_days(Repeat::hourly, "1,2"), BadRequest);
  EXPECT_THROW(check({.time = -1}), BadRequest);
  EXPECT_THROW(check({.time = last_time + 1}), BadRequest);
  EXPECT_THROW(check({.time = 1, .repeat = Repeat::monthly}), BadRequest);
}

}  // namespace
}  // namespace vmvaultd
