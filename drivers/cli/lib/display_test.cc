// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/display.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

TEST(Display, WritesSizes) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.0 KiB");
  EXPECT_EQ(size_text(82u << 20), "82.0 MiB");
  EXPECT_EQ(size_text((1u << 20) - 1), "1.0 MiB") << "not 1024.0 KiB";
  EXPECT_EQ(size_text(std::uint64_t{5} << 40), "5.0 TiB");
}

TEST(Display, WritesDurations) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(185), "3 min 5 s");
  EXPECT_EQ(duration_text(7800), "2 h 10 min");
  EXPECT_EQ(duration_text(273600), "3 d 4 h");
}

TEST(Display, WritesTimes) { EXPECT_EQ(utc_time(1787212800), "2026-08-20T08:00:00Z"); }

TEST(Display, CountsThings) {
  EXPECT_EQ(count_text(1, "disk"), "1 disk");
  EXPECT_EQ(count_text(2, "disk"), "2 disks");
}

TEST(Display, ANameCannotSteerTheTerminal) {
  EXPECT_EQ(printable("a\033[2Jb\nc"), "a?[2Jb?c");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "2Jb"),
            "a?2Jb");
  EXPECT_EQ(printable("Bücher"), "Bücher");
}

TEST(Display, AlignsColumnsByCharactersAndLeavesNoBlanksBehind) {
  EXPECT_EQ(table({{"ID", "NAME", "X"}, {"1", "Bü", "y"}, {"100", "", ""}}),
            "ID   NAME  X\n1    Bü    y\n100\n");
  EXPECT_EQ(table({}), "");
}

}  // namespace
}  // namespace cli
