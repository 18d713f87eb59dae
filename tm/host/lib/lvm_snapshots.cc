// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/lvm_snapshots.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include "common/error.h"
#include "common/lvm/changes.h"
#include "common/number.h"
#include "tm/lib/host_request.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* lock_dir = "/var/lock/one";
constexpr std::chrono::seconds for_lock{120};

void settle_group(const std::string& group, const std::vector<Journal::Volume>& volumes,
                  Where written, const lvm::Access& access) {
  const GroupLocks locks{{group}};
  const auto all = lvm::volumes(group, access);
  std::vector<lvm::Volume> to_deactivate, to_remove;
  for (const auto& one : volumes) {
    const auto* origin = lvm::find(all, one.origin.name);
    if (written == Where::elsewhere && (!origin || !origin->active))
      throw Error{"a backup on another host has left '" + one.volume().display() +
                  "', which is to be looked after there, or when the VM runs here"};
    lvm::resume_if_suspended(one.origin, access);
    if (!one.pool.empty()) lvm::release_metadata(one.origin.beside(one.pool), access);
    const auto* found = lvm::find(all, one.name);
    if (!found) continue;
    if (!one.keep)
      to_remove.push_back(one.volume());
    else if (found->active)
      to_deactivate.push_back(one.volume());
  }
  lvm::deactivate(to_deactivate, access);
  lvm::remove(to_remove, access);
}

}  // namespace

lvm::Access lvm_access(Shielded shielded) {
  const auto settings = settings_of_this_host();
  const auto found = settings.find("LVM_DEADLINE");
  const auto seconds = found == settings.end() ? std::nullopt : parse_number(found->second);
  return {.deadline = std::chrono::seconds{std::max<std::int64_t>(1, seconds.value_or(120))},
          .shielded = shielded == Shielded::yes};
}

std::string full_snapshot_of(const std::string& volume) { return volume + "_" + full_snapshot; }

std::string increment_snapshot_of(const std::string& volume, int increment) {
  return volume + "_" + increment_snapshot(increment);
}

bool is_snapshot_of(const std::string& volume, std::string_view name) {
  return name.starts_with(volume + "_") && is_snapshot_name(name.substr(volume.size() + 1));
}

GroupLocks::GroupLocks(const std::set<std::string>& groups) {
  std::error_code error;
  fs::create_directories(lock_dir, error);
  for (const auto& group : groups) {
    const auto path = fs::path{lock_dir} / ("tm-onelvm-" + group + ".lock");
    held_.push_back(FileLock::lock(path, for_lock, "the volume group " + group));
  }
  lend(Lent::yes);
}

void GroupLocks::lend(Lent lent) {
  for (const auto& one : held_) fcntl(one.fd(), F_SETFD, lent == Lent::yes ? 0 : FD_CLOEXEC);
}

void settle_volumes(const std::vector<Journal::Volume>& volumes, Where written,
                    const lvm::Access& access) {
  std::set<std::string> groups;
  for (const auto& one : volumes) groups.insert(one.origin.group);
  for (const auto& group : groups) {
    std::vector<Journal::Volume> some;
    std::copy_if(volumes.begin(), volumes.end(), std::back_inserter(some),
                 [&](const auto& one) { return one.origin.group == group; });
    settle_group(group, some, written, access);
  }
}

}  // namespace host
