// SPDX-License-Identifier: Apache-2.0
#include "common/mount.h"

#include <gtest/gtest.h>

#include "common/file.h"

TEST(Mount, IsFoundByItsPathAlone) {
  const auto proc = mount_on("/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(proc->type, "proc");
  EXPECT_EQ(mount_on("/proc/../proc")->type, "proc");
  EXPECT_FALSE(mount_on("/proc/self"));
  EXPECT_FALSE(mount_on("/nowhere/at/all"));
}

TEST(Mount, ThatIsNoneIsNotBroken) {
  const TempDir dir;
  EXPECT_FALSE(break_fuse(dir.path(), Mount{.type = "fuse.vmvault", .minor = 4'000'000'000U}));
}
