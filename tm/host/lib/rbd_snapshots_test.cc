// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/rbd_snapshots.h"

#include <gtest/gtest.h>

namespace host {

TEST(RbdSnapshots, AreNamedAsTheCoresOwn) {
  EXPECT_EQ(increment_snapshot(12), "one_backup_12");
  for (const auto* ours : {"one_backup", "one_backup_0", "one_backup_12"})
    EXPECT_TRUE(is_snapshot_name(ours)) << ours;
  for (const auto* other : {"", "one_backup_", "one_backup_x", "one_backup_1x", "one_backup_-1",
                            "one_backups", "my_one_backup", "0"})
    EXPECT_FALSE(is_snapshot_name(other)) << other;
}

}  // namespace host
