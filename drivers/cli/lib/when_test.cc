// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/when.h"

#include <gtest/gtest.h>

#include <ctime>

#include "common/error.h"
#include "common/test_env.h"

namespace cli {
namespace {

constexpr std::int64_t noon = 1'790'596'800;  // Monday, 2026-09-28 12:00 UTC

class WhenTest : public testing::Test {
 protected:
  WhenTest() { tzset(); }
  ~WhenTest() override { tzset(); }
  ScopedEnv zone_{"TZ", "UTC"};
};

TEST_F(WhenTest, KnowsWhatPeopleWrite) {
  EXPECT_EQ(parse_when("now", noon), noon);
  EXPECT_EQ(parse_when("+90", noon), noon + 90);
  EXPECT_EQ(parse_when("1790000000", noon), 1'790'000'000);
  EXPECT_EQ(parse_when("12:30", noon), noon + 1800);
  EXPECT_EQ(parse_when("12:00", noon), noon + 86400);
  EXPECT_EQ(parse_when("2026-09-28 12:00", noon), noon);
  EXPECT_EQ(parse_when("2026-09-28 12:00:05", noon), noon + 5);
}

TEST_F(WhenTest, TomorrowIsTomorrowAlsoWhenSummerTimeEnds) {
  const ScopedEnv berlin{"TZ", "CET-1CEST,M3.5.0,M10.5.0/3"};
  tzset();
  constexpr std::int64_t half_past_midnight = noon + 26 * 86400 + 10 * 3600 + 1800;  // October 25
  EXPECT_EQ(parse_when("00:10", half_past_midnight), half_past_midnight + 25 * 3600 - 1200);
}

TEST_F(WhenTest, RefusesWhatIsNoTime) {
  for (const auto* text : {"", "soon", "+", "-5", "25:00", "12:61", "12:30 pm", "2026-02-30 12:00",
                           "2026-09-28", "99999999999"})
    EXPECT_THROW(parse_when(text, noon), BadRequest) << text;
}

TEST_F(WhenTest, WhatIsToComeIsNotPast) {
  for (const auto* text : {"1999-01-01 10:00", "0", "2026-09-28 11:59"})
    EXPECT_THROW(parse_time_to_come(text, noon), BadRequest) << text;
  EXPECT_EQ(parse_time_to_come("2026-09-28 12:00", noon + 59), noon) << "this minute";
  EXPECT_EQ(parse_time_to_come("now", noon), noon);
  EXPECT_EQ(parse_time_to_come("2026-09-28 12:30", noon), noon + 1800);
}

}  // namespace
}  // namespace cli
