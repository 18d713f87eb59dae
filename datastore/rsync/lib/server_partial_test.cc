// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_partial.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include "common/file.h"
#include "common/handle.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {
namespace {

class PartialTest : public testing::Test {
 protected:
  Fd shown() const {
    return Fd{open((dir_.path() / "aaaaaa.partial/.wanted").c_str(), O_RDWR | O_CREAT, 0600)};
  }

  const TempDir dir_;
  const Dir vm_ = Dir::open(dir_.path().string());
  const Upload upload_{.name = "aaaaaa", .key = "k", .files = {}, .archive = true, .sparse = true};
};

TEST_F(PartialTest, IsNotWantedByThoseWhoLookWhetherItIs) {
  const auto partial = Partial::take(vm_, upload_);
  EXPECT_FALSE(partial.is_wanted());
  const auto left = shown();  // of one that was killed
  EXPECT_FALSE(partial.is_wanted());
  ASSERT_EQ(flock(left.get(), LOCK_SH | LOCK_NB), 0) << "another channel of this upload looks";
  EXPECT_FALSE(partial.is_wanted());
  ASSERT_EQ(flock(left.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_TRUE(partial.is_wanted());
}

TEST_F(PartialTest, IsTakenUpWithoutWhatAKilledOneLeft) {
  { const auto killed = Partial::take(vm_, upload_); }
  shown();
  const auto partial = Partial::take(vm_, upload_);
  EXPECT_EQ(partial.name(), "aaaaaa");
  EXPECT_FALSE(std::filesystem::exists(dir_.path() / "aaaaaa.partial/.wanted"));
}

}  // namespace
}  // namespace rsync
