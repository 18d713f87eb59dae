// SPDX-License-Identifier: Apache-2.0
#include "common/one/log_line.h"

#include <gtest/gtest.h>

namespace {

TEST(LogLine, HasALevelAndText) {
  EXPECT_TRUE(is_log_line("WARN: send: slow"));
  for (const auto* line : {"WARNING: x", "WARN:", "warn: x", "cannot", ""})
    EXPECT_FALSE(is_log_line(line)) << line;
}

TEST(LogLine, TheErrorIsTheLastOther) {
  EXPECT_EQ(last_plain_line("a\nINFO: x: y\n b  c \n\nDEBUG: z: 1"), "b c");
  EXPECT_EQ(last_plain_line("INFO: x: y\n"), "");
}

}  // namespace
