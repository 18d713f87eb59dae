// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/meter.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t gib = 1u << 30;
const Meter::Time start{1h};

TEST(Meter, ShowsBytesRateAndTimeLeft) {
  Meter meter;
  EXPECT_EQ(meter.bar({"capture", 0, 4 * gib}, start, 200),
            "capture  [--------------------]   0 %  0 B of 4.0 GiB");
  EXPECT_EQ(meter.bar({"capture", gib, 4 * gib}, start + 2s, 200),
            "capture  [#####---------------]  25 %  1.0 GiB of 4.0 GiB  512.0 MiB/s  7 s left");
  EXPECT_EQ(meter.bar({"capture", 4 * gib, 4 * gib}, start + 8s, 200),
            "capture  [####################] 100 %  4.0 GiB of 4.0 GiB  512.0 MiB/s");
}

TEST(Meter, TheRateIsThatOfTheLastSeconds) {
  Meter meter;
  meter.bar({"capture", 0, 100 * gib}, start, 200);
  for (int second = 1; second <= 30; ++second)  // 30 GiB at 1 GiB/s, then nothing
    meter.bar({"capture", static_cast<unsigned>(second) * gib, 100 * gib},
              start + std::chrono::seconds{second}, 200);
  std::string text;
  for (int second = 31; second <= 60; ++second)
    text = meter.bar({"capture", 30 * gib, 100 * gib}, start + std::chrono::seconds{second}, 200);
  EXPECT_EQ(text.find("/s"), std::string::npos) << text;
}

TEST(Meter, BeginsAnewWithEachStep) {
  Meter meter;
  meter.bar({"capture", 0, gib}, start, 200);
  meter.bar({"capture", gib, gib}, start + 1s, 200);
  EXPECT_EQ(meter.bar({"upload", 0, gib}, start + 2s, 200),
            "upload   [--------------------]   0 %  0 B of 1.0 GiB");
}

TEST(Meter, KnowsNoPercentWithoutATotal) {
  Meter meter;
  EXPECT_EQ(meter.bar({"restore", gib, 0}, start, 200), "restore   1.0 GiB");
}

TEST(Meter, MoreThanAllIsAll) {
  Meter meter;
  EXPECT_EQ(meter.bar({"upload", 2 * gib, gib}, start, 200),
            "upload   [####################] 100 %  2.0 GiB of 1.0 GiB");
}

TEST(Meter, NeverFillsTheLastColumn) {
  Meter meter;
  EXPECT_EQ(meter.bar({"capture", gib, 4 * gib}, start, 40).size(), 39u);
  EXPECT_EQ(meter.bar({"capture", gib, 4 * gib}, start, 0).size(), 0u);
}

TEST(Meter, WritesALineNowAndThen) {
  Meter meter;
  EXPECT_EQ(meter.line({"capture", 0, 4 * gib}, start), "capture: 0 %, 0 B of 4.0 GiB");
  EXPECT_FALSE(meter.line({"capture", gib, 4 * gib}, start + 1s));
  EXPECT_TRUE(meter.line({"capture", 2 * gib, 4 * gib}, start + 11s));
  EXPECT_FALSE(meter.line({"capture", 3 * gib, 4 * gib}, start + 12s));
  EXPECT_TRUE(meter.line({"capture", 4 * gib, 4 * gib}, start + 13s)) << "the end is told at once";
  EXPECT_FALSE(meter.line({"capture", 4 * gib, 4 * gib}, start + 14s)) << "and once";
  EXPECT_TRUE(meter.line({"upload", 0, gib}, start + 14s)) << "so is the next step";
}

}  // namespace
}  // namespace cli
