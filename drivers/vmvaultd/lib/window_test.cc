// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/window.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

constexpr Time monday = 1'790'553'600;  // 2026-09-28 00:00 UTC

class WindowTest : public testing::Test {
 protected:
  ScopedZone zone_{"UTC"};
};

TEST_F(WindowTest, IsOpenFromItsBeginningToBeforeItsEnd) {
  const auto window = Window::parse("mon 08:00-09:00");
  EXPECT_FALSE(window.open(monday + 8 * hour - 1));
  EXPECT_TRUE(window.open(monday + 8 * hour));
  EXPECT_TRUE(window.open(monday + 9 * hour - 1));
  EXPECT_FALSE(window.open(monday + 9 * hour));
  EXPECT_FALSE(window.open(monday + day + 8 * hour));
}

TEST_F(WindowTest, GoesOnAfterMidnightOnTheDayOnWhichItBegan) {
  const auto window = Window::parse("fri-sat,SUN 22:00-06:00");
  EXPECT_FALSE(window.open(monday + 4 * day + 3 * hour));
  EXPECT_TRUE(window.open(monday + 5 * day + 3 * hour));
  EXPECT_TRUE(window.open(monday + 7 * day + 3 * hour));
  EXPECT_FALSE(window.open(monday + 8 * day + 3 * hour));
}

TEST_F(WindowTest, SaysWhenItOpensOrCloses) {
  const auto window = Window::parse("mon-fri 22:00-06:00, sat,sun 00:00-24:00");
  EXPECT_EQ(window.next_change(monday + 12 * hour), monday + 22 * hour);
  EXPECT_EQ(window.next_change(monday + 22 * hour), monday + 30 * hour);
  // From Friday evening to Sunday's end it is open without a gap.
  EXPECT_EQ(window.next_change(monday + 4 * day + 23 * hour), monday + 7 * day);
  EXPECT_EQ(Window::parse("00:00-24:00").next_change(monday), std::nullopt);
}

TEST_F(WindowTest, IsAsLongAsTheNightIs) {
  ScopedZone zone{berlin_time};
  const auto window = Window::parse("22:00-06:00");
  const auto length = [&](Time noon) {
    const Time opens = *window.next_change(noon);
    return *window.next_change(opens) - opens;
  };
  EXPECT_EQ(length(1'774'695'600), 7 * hour);  // the night to 2026-03-29
  EXPECT_EQ(length(1'792'839'600), 9 * hour);  // to 2026-10-25
  EXPECT_EQ(length(1'792'926'000), 8 * hour);
}

TEST_F(WindowTest, OpensAgainAfterTheWeekInWhichItsHourIsSkipped) {
  ScopedZone zone{berlin_time};
  constexpr Time closes =
      1'774'144'800;  // Sunday, 2026-03-22 03:00; a week later there is no 02:00
  const auto window = Window::parse("sun 02:00-03:00");
  EXPECT_EQ(window.next_change(closes - 60), closes);
  EXPECT_EQ(window.next_change(closes), closes + 2 * 7 * day - 2 * hour);
}

TEST_F(WindowTest, RefusesWhatItCannotRead) {
  for (const char* wrong :
       {"", "mon", "mon 25:00-26:00", "8-9", "08:00", "08:00-24:01", "moo 08:00-09:00",
        "mon-fri 08:00-09:00 tue", "08:60-09:00", "-08:00-09:00", "08:0-09:00"})
    EXPECT_THROW(Window::parse(wrong), BadRequest) << wrong;
  std::string many;
  for (int n = 0; n < 100; ++n) many += "mon 08:00-09:00 ";
  EXPECT_THROW(Window::parse(many), BadRequest);
}

}  // namespace
}  // namespace vmvaultd
