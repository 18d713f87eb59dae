// SPDX-License-Identifier: Apache-2.0
#include "common/ended.h"

#include <gtest/gtest.h>

TEST(Ended, SaysTheStatusOrTheSignal) {
  EXPECT_EQ(ended("it", 3), "it ended with status 3");
  EXPECT_EQ(ended("it", 128), "it ended with status 128");
  EXPECT_EQ(ended("it", 128 + 15), "it was killed by SIGTERM");
  EXPECT_EQ(ended("rbd", 137),
            "rbd was killed by SIGKILL, as the kernel does where memory is short");
  EXPECT_EQ(ended("ssh", 255), "ssh ended with status 255");
}
