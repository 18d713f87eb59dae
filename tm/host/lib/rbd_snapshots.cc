// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/rbd_snapshots.h"

#include "common/error.h"
#include "common/number.h"
#include "common/one/location.h"

namespace host {

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

std::string increment_snapshot(int increment) {
  return full_snapshot + ("_" + std::to_string(increment));
}

bool is_snapshot_name(std::string_view name) {
  if (name == full_snapshot) return true;
  const std::string prefix = std::string{full_snapshot} + "_";
  return name.starts_with(prefix) && parse_int(name.substr(prefix.size())).has_value();
}

void remove_snapshots(const std::vector<Journal::Snapshot>& snapshots, const rbd::Access& access) {
  std::optional<Error> first;
  for (const auto& one : snapshots) try {
      rbd::remove_snapshot(one.image, one.name, access);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      if (!first) first = e;
    }
  if (first) throw *first;
}

}  // namespace host
