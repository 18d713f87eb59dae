// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/image_token.h"

#include <gtest/gtest.h>

#include "common/file.h"

namespace host {
namespace {

// On a disk: where /tmp is in memory, an older kernel has no attributes there.
const char* const on_disk = "/var/tmp";

TEST(ImageToken, IsOfOneBitmapInOneFile) {
  const TempDir dir{on_disk};
  const auto image = dir.path() / "disk";
  write_file(image, "x");
  EXPECT_EQ(token_of(image, "one-7-0"), "");
  leave_token(image, "one-7-0");
  const auto first = token_of(image, "one-7-0");
  ASSERT_EQ(first.size(), 16U) << "a temporary directory with attributes is needed";
  leave_token(image, "one-7-1");
  EXPECT_EQ(token_of(image, "one-7-0"), first);
  leave_token(image, "one-7-0");
  EXPECT_NE(token_of(image, "one-7-0"), first);
  leave_token(dir.path() / "none", "one-7-0");
  EXPECT_EQ(token_of(dir.path() / "none", "one-7-0"), "");
}

TEST(ImageToken, OnlyThoseOfTheVmAreSwept) {
  const TempDir dir{on_disk};
  const auto image = dir.path() / "disk";
  write_file(image, "x");
  for (const auto* bitmap : {"one-7-0", "one-7-1", "one-7-2", "one-7-2-0badcafe", "one-8-0"})
    leave_token(image, bitmap);
  sweep_tokens(image, 7, "one-7-1", "one-7-2-0badcafe");
  for (const auto* bitmap : {"one-7-0", "one-7-2"})
    EXPECT_EQ(token_of(image, bitmap), "") << bitmap;
  for (const auto* bitmap : {"one-7-1", "one-7-2-0badcafe", "one-8-0"})
    EXPECT_NE(token_of(image, bitmap), "") << bitmap;
}

}  // namespace
}  // namespace host
