// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/rbd_image.h"

#include <gtest/gtest.h>

#include "common/error.h"

TEST(RbdImageOfDisk, SayHowTheClusterIsReached) {
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
