// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/looks.h"

#include <gtest/gtest.h>

namespace vmvaultd {
namespace {

using Heard = Looks::Heard;

TEST(Looks, OneAtATimeAndAgainAfterTheInterval) {
  Looks looks{60};
  EXPECT_TRUE(looks.begins(1, "a", 1000));
  EXPECT_FALSE(looks.begins(1, "a", 5000)) << "it has not ended";
  EXPECT_TRUE(looks.begins(2, "b", 5000)) << "no other waits for it";
  EXPECT_EQ(looks.ended(1, "a", true, true, 5000), Heard::came);
  EXPECT_EQ(looks.next(), 5060);
  EXPECT_FALSE(looks.begins(1, "a", 5059));
  EXPECT_TRUE(looks.begins(1, "a", 5060));
  EXPECT_EQ(looks.ended(1, "a", true, true, 5061), Heard::again);
  EXPECT_TRUE(looks.begins(1, "a", 10)) << "the clock was set back";
}

TEST(Looks, BacksOffUntilItAnswers) {
  Looks looks{60};
  Time now = 1000;
  for (const Time pause : {60, 120, 240, 480, 600, 600}) {
    ASSERT_TRUE(looks.begins(1, "a", now));
    EXPECT_EQ(looks.ended(1, "a", false, true, now), Heard::failed);
    EXPECT_EQ(looks.next(), now + pause);
    now += pause;
  }
  ASSERT_TRUE(looks.begins(1, "a", now));
  EXPECT_EQ(looks.ended(1, "a", true, true, now), Heard::came);
  EXPECT_EQ(looks.next(), now + 60);
}

TEST(Looks, ThisMachineIsAskedAsOftenAsEver) {
  Looks looks{60};
  for (Time now = 0; now < 600; now += 60) {
    ASSERT_TRUE(looks.begins(1, "a", now));
    looks.ended(1, "a", false, false, now);
  }
}

TEST(Looks, WhatIsNotWantedForAWhileIsNotAskedTwiceAtATime) {
  Looks looks{60};
  ASSERT_TRUE(looks.begins(1, "a", 0));
  looks.keep({});
  EXPECT_EQ(looks.next(), last_time);
  EXPECT_FALSE(looks.begins(1, "a", 1)) << "it has not ended";
  EXPECT_EQ(looks.ended(1, "a", true, true, 2), Heard::came);
  looks.keep({});
  EXPECT_TRUE(looks.begins(1, "a", 3)) << "wanted again, it is asked at once";
  looks.keep({});
  EXPECT_EQ(looks.ended(1, "a", true, true, 4), Heard::nothing);
  EXPECT_EQ(looks.hosts(), 0U);
}

TEST(Looks, WhatWasChangedMeanwhileIsNotHeard) {
  Looks looks{60};
  ASSERT_TRUE(looks.begins(1, "a", 0));
  EXPECT_TRUE(looks.begins(1, "b", 0)) << "another URI is asked at once";
  EXPECT_EQ(looks.ended(1, "a", true, true, 1), Heard::nothing);
  EXPECT_EQ(looks.ended(1, "b", true, true, 1), Heard::came);
  looks.keep({});
  EXPECT_EQ(looks.ended(1, "b", true, true, 1), Heard::nothing);
  EXPECT_EQ(looks.next(), last_time);
}

}  // namespace
}  // namespace vmvaultd
