// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/merge_sums.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "drivers/lib/test_home.h"

namespace fs = std::filesystem;

namespace state {
namespace {

using MergeSumsTest = HomeTest;

TEST_F(MergeSumsTest, AreGivenAndTakenByTheNameOfTheMergedOne) {
  const MergeSums sums{home, 3};
  sums.give(store);  // of an image that is not there: nothing
  ASSERT_TRUE(fs::is_directory(sums.directory()));
  EXPECT_TRUE(sums.take({.id = 1, .source = "cccc0001", .dir = "/v"}).empty());
  for (const char* source : {"cccc0001", "dddd0001"}) {
    fs::create_directory(sums.directory() / source);
    write_file(sums.directory() / source / "sums.0.1", source);
    write_file(sums.directory() / source / "other", "x");
  }
  const auto taken = sums.take({.id = 1, .source = "cccc0001", .dir = "/v"});
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].file, "sums.0.1");
  EXPECT_EQ(taken[0].sums, "cccc0001");
  EXPECT_TRUE(sums.take({.id = 1, .source = "../merge.3/cccc0001", .dir = "/v"}).empty());
  EXPECT_TRUE(sums.take({.id = 1, .source = "", .dir = "/v"}).empty());
  sums.give(store);
  EXPECT_EQ(sums.take({.id = 1, .source = "cccc0001", .dir = "/v"}).size(), 1U)
      << "of an earlier try";
  sums.forget();
  EXPECT_FALSE(fs::exists(sums.directory()));
  sums.forget();
}

}  // namespace
}  // namespace state
