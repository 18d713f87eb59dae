// SPDX-License-Identifier: Apache-2.0
#include "common/one/sums_file.h"

#include <gtest/gtest.h>

TEST(SumsFile, IsNamedAfterItsDisk) {
  EXPECT_EQ(sums_file("disk.0.3"), "sums.0.3");
  EXPECT_TRUE(is_sums_file("sums.0.3"));
  EXPECT_TRUE(is_sums_file("sums.12.345"));
}

TEST(SumsFile, IsNoOtherFile) {
  for (const char* name : {"disk.0.3", "sums", "sums.", "sums.0", "sums.0.", "sums.x.0", "sums.0.x",
                           "sums.0.1.2", "xsums.0.1", "sums.-1.0"})
    EXPECT_FALSE(is_sums_file(name)) << name;
}
