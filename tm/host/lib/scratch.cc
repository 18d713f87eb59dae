// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/scratch.h"

#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/one/location.h"
#include "tm/host/lib/copy_disks.h"
#include "tm/host/lib/scratch_place.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr size_t socket_path_limit = sizeof(sockaddr_un::sun_path) - 1;

void let_qemu_write(const fs::path& dir, const LiveDomain& domain) {
  if (geteuid() != 0 || domain.qemu_uid < 0) return;
  if (chown(dir.c_str(), static_cast<uid_t>(domain.qemu_uid),
            static_cast<gid_t>(domain.qemu_gid)) != 0)
    throw system_error("give '" + dir.string() + "' to qemu's user", errno);
}

std::uint64_t floor_of(const fs::path& dir, const HostRequest& request) {
  struct statvfs info {};
  if (statvfs(dir.c_str(), &info) != 0)
    throw system_error("look for free space in '" + dir.string() + "'", errno);
  const std::uint64_t size = std::uint64_t{info.f_blocks} * info.f_frsize;
  const auto percent = static_cast<std::uint64_t>(request.number("SCRATCH_FLOOR_PERCENT", 5));
  const auto mb = static_cast<std::uint64_t>(request.number("SCRATCH_FLOOR_MB", 1024));
  return std::max(size / 100 * percent, mb << 20);
}

}  // namespace

Scratch::Scratch(const HostRequest& request, const LiveDomain& domain, Journal& journal)
    : prefix_{"vmvault-" + std::to_string(request.vm.id) + "-" + journal.run} {
  const std::string configured = request.setting("SCRATCH_PATH", "");
  dir_ = configured.empty() ? request.vm_dir / "tmp" : normal_path(configured);
  if (configured.empty()) {
    own_dir_.path = dir_;
    if (fs::create_directory(dir_)) let_qemu_write(dir_, domain);
  }

  check_scratch_place(dir_, domain.qemu_uid, domain.qemu_gid);

  const std::string socket_dir = request.setting("SOCKET_DIR", dir_.string());
  socket_ = normal_path(socket_dir) / (prefix_ + ".sock");
  if (socket_.string().size() > socket_path_limit) {
    socket_dir_ = std::make_unique<TempDir>(geteuid() == 0 && fs::exists("/run") ? "/run" : "/tmp");
    let_qemu_write(socket_dir_->path(), domain);
    socket_ = socket_dir_->path() / "nbd.sock";
  }
  for (const auto& disk : domain.disks) files_.push_back(file_of(disk.target));
  files_.push_back(socket_);
  journal.scratch.insert(journal.scratch.end(), files_.begin(), files_.end());
  if (socket_dir_) journal.scratch.push_back(socket_dir_->path());
  floor_ = floor_of(dir_, request);
  check_floor(dir_, floor_);
}

Scratch::~Scratch() {
  for (const auto& file : files_) unlink(file.c_str());
}

Scratch::OwnDir::~OwnDir() {
  if (!path.empty()) rmdir(path.c_str());
}

fs::path Scratch::file_of(const std::string& target) const {
  return dir_ / (prefix_ + "-" + target + ".scratch");
}

void check_floor(const fs::path& dir, std::uint64_t floor) {
  const std::uint64_t free = free_bytes(dir);
  if (free < floor)
    throw Error{"'" + dir.string() +
                "', where the guest's overwritten data go during a backup, has " +
                std::to_string(free >> 20) + " MiB free, less than the floor of " +
                std::to_string(floor >> 20) +
                " MiB: the backup ends before the guest suffers; SCRATCH_PATH names another place"};
}

}  // namespace host
