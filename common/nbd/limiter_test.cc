// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/limiter.h"

#include <gtest/gtest.h>

namespace nbd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t mib = 1 << 20;
const Limiter::Clock::time_point start{seconds{1000}};

// When the last of `count` requests may be sent, if each is asked for as soon as the one before
// was.
Limiter::Clock::duration time_for(Limiter& limiter, int count, std::uint64_t bytes) {
  auto now = start;
  for (int i = 0; i < count; ++i) now = limiter.admit(bytes, now);
  return now - start;
}

TEST(Limiter, HoldsTheRateOfBytes) {
  Limiter limiter{{.bytes_per_second = 5 * mib}};
  const auto took = time_for(limiter, 101, mib);
  EXPECT_GE(took, seconds{20} - milliseconds{250});
  EXPECT_LE(took, seconds{20});
}

TEST(Limiter, HoldsTheRateOfRequests) {
  Limiter limiter{{.requests_per_second = 50}};
  const auto took = time_for(limiter, 501, mib);
  EXPECT_GE(took, seconds{10} - milliseconds{250});
  EXPECT_LE(took, seconds{10});
}

TEST(Limiter, TheStricterRateCounts) {
  Limiter limiter{{.bytes_per_second = 10 * mib, .requests_per_second = 100}};
  EXPECT_GE(time_for(limiter, 101, mib), seconds{10} - milliseconds{250});
  EXPECT_GE(time_for(limiter, 1001, 512), seconds{19});
}

TEST(Limiter, WhoDidNotAskHasSavedUpLittle) {
  Limiter limiter{{.bytes_per_second = mib}};
  limiter.admit(mib, start);
  const auto later = start + seconds{3600};
  EXPECT_EQ(limiter.admit(mib / 4, later), later);
  EXPECT_EQ(limiter.admit(mib / 4, later), later);
  EXPECT_EQ(limiter.admit(mib, later), later + milliseconds{250});
  EXPECT_EQ(limiter.admit(mib, later), later + milliseconds{1250});
}

TEST(Limiter, ThoseWhoAskAtOnceAreServedOneAfterTheOther) {
  Limiter limiter{{.requests_per_second = 1}};
  limiter.admit(1, start);
  for (int i = 1; i < 5; ++i)
    EXPECT_EQ(limiter.admit(1, start), start + seconds{i} - milliseconds{250});
}

TEST(Limiter, NoRateIsNoLimit) {
  Limiter limiter{{}};
  EXPECT_EQ(time_for(limiter, 1000, mib), seconds{0});
}

TEST(Limiter, ReadsRatesAsPeopleWriteThem) {
  EXPECT_EQ(parse_rate("0"), 0);
  EXPECT_EQ(parse_rate("5000000"), 5000000);
  EXPECT_EQ(parse_rate("100B"), 100);
  EXPECT_EQ(parse_rate("500k"), 500 * 1024);
  EXPECT_EQ(parse_rate("5M"), 5 * mib);
  EXPECT_EQ(parse_rate("5MB"), 5 * mib);
  EXPECT_EQ(parse_rate("2G"), 2048 * mib);
  EXPECT_EQ(parse_rate("8589934591G"), std::uint64_t{8589934591} << 30);
  for (const auto* none : {"", "B", "M", "-1", "5 M", "5T", "M5", "1.5M", "5MM", "8589934592G"})
    EXPECT_EQ(parse_rate(none), std::nullopt) << none;
}

}  // namespace
}  // namespace nbd
