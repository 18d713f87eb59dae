// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/rbd_snapshots.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace host {

TEST(RbdSnapshots, AreNamedAsTheCoresOwn) {
  EXPECT_EQ(increment_snapshot(12), "one_backup_12");
  for (const auto* ours : {"one_backup", "one_backup_0", "one_backup_12"})
    EXPECT_TRUE(is_snapshot_name(ours)) << ours;
  for (const auto* other : {"", "one_backup_", "one_backup_x", "one_backup_1x", "one_backup_-1",
                            "one_backups", "my_one_backup", "0"})
    EXPECT_FALSE(is_snapshot_name(other)) << other;
}

TEST(RbdSnapshots, SayHowTheClusterIsReached) {
  Disk disk;
  disk.rbd = "one/one-7";
  disk.ceph_user = "libvirt";
  disk.ceph_conf = "/etc/ceph//other.conf";
  disk.ceph_key_file = "/etc/ceph/key";
  const auto image = image_of(disk);
  EXPECT_EQ(image.display(), "one/one-7");
  EXPECT_EQ(image.user, "libvirt");
  EXPECT_EQ(image.conf, "/etc/ceph/other.conf");
  EXPECT_EQ(image.key_file, "/etc/ceph/key");
  disk.ceph_user = "a b";
  EXPECT_THROW(image_of(disk), BadRequest);
  disk.ceph_user.clear();
  disk.ceph_conf = "ceph.conf";
  EXPECT_THROW(image_of(disk), BadRequest);
}

}  // namespace host
