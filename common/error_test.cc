// SPDX-License-Identifier: Apache-2.0
#include "common/error.h"

#include <gtest/gtest.h>

#include <cerrno>

TEST(Error, KnowsItsExitStatus) {
  EXPECT_EQ(Error{"x"}.exit(), Exit::failed);
  EXPECT_EQ(BadRequest{"x"}.exit(), Exit::bad_request);
  EXPECT_EQ(Cancelled{}.exit(), Exit::cancelled);
  EXPECT_EQ(static_cast<int>(Cancelled{}.exit()), 143);
}

TEST(SystemError, SaysWhatAndWhy) {
  EXPECT_STREQ(system_error("open '/a/b'", ENOENT).what(),
               "cannot open '/a/b': No such file or directory");
}

TEST(OneLine, HasNoBreaksAndNoControlCharacters) {
  EXPECT_EQ(one_line("  a\n\n b\t\r c \n"), "a b c");
  EXPECT_EQ(one_line("\x1b[31mred\x7f"), "[31mred");
  EXPECT_EQ(one_line("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(one_line(" \n"), "");
}
