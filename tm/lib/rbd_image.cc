// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/rbd_image.h"

#include "common/error.h"
#include "common/one/location.h"

rbd::Image image_of(const Disk& disk) {
  rbd::Image out = rbd::parse_image(disk.rbd);
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (disk.ceph_user.find_first_not_of(letters) != std::string::npos)
    throw BadRequest{"CEPH_USER is no name: '" + one_line(disk.ceph_user) + "'"};
  out.user = disk.ceph_user;
  if (!disk.ceph_conf.empty()) out.conf = normal_path(disk.ceph_conf);
  if (!disk.ceph_key_file.empty()) out.key_file = normal_path(disk.ceph_key_file);
  return out;
}
