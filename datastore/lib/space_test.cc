// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/space.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

constexpr auto header = "Filesystem     1048576-blocks  Used Available Capacity Mounted on\n";

TEST(ParseDf, ReadsTheNumbers) {
  const auto space = Space::parse_df(std::string{header} +
                                     "/dev/sda1               20469  2983     17487      15% /\n");
  EXPECT_EQ(space.text(), "USED_MB=2983\nTOTAL_MB=20469\nFREE_MB=17487");
}

TEST(ParseDf, TheDeviceAndTheDirectoryMayHaveBlanks) {
  const auto space = Space::parse_df(std::string{header} +
                                     "nas:/my data 20469 2983 17487 15% /my backups 7% /x\n");
  EXPECT_EQ(space.total_mb, 20469U);
  EXPECT_EQ(space.free_mb, 17487U);
}

TEST(ParseDf, RefusesToReportNothingAsZero) {
  EXPECT_THROW(Space::parse_df(""), Error);
  EXPECT_THROW(Space::parse_df(header), Error);
  EXPECT_THROW(Space::parse_df("df: /backups: No such file or directory\n"), Error);
  EXPECT_THROW(Space::parse_df("- - - - 15% /\n"), Error);
}

TEST(Space, IsMeasuredHere) {
  const auto space = Space::of("/");
  EXPECT_GT(space.total_mb, 0U);
  EXPECT_LE(space.used_mb, space.total_mb);
  EXPECT_THROW(Space::of("/nowhere"), Error);
}

}  // namespace
