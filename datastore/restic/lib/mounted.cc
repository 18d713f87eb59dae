// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/mounted.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "common/cancel.h"
#include "common/mount.h"
#include "common/one/action.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

constexpr std::string_view type = "fuse";
constexpr int often = 20;  // milliseconds: nobody tells when it is mounted

// What one of us left who was killed: nobody serves it any more.
void sweep(const fs::path& parent) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{parent, error}) {
    struct stat dead {};
    if (!entry.path().filename().string().starts_with("vmvault.") ||
        stat(entry.path().c_str(), &dead) == 0 || errno != ENOTCONN)
      continue;
    unmount_fuse(entry.path(), type);
    rmdir(entry.path().c_str());
  }
}

// false: it has ended instead.
bool comes(const fs::path& path, const Held& restic) {
  while (!mount_on(path)) {
    pollfd fds[] = {{restic.ended(), POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    poll(fds, std::size(fds), often);
    cancel::check();
    if (fds[0].revents != 0) return false;
  }
  return true;
}

}  // namespace

Mounted::Mounted(const Restic& restic, const fs::path& parent) : directory_{parent} {
  sweep(parent);
  LockWait wait{restic, Care::cancellable};
  for (;;) {
    const auto request = restic.request({"mount", directory_.path().string()});
    restic_.emplace(restic.machine().helper(), request.encode(), "restic");
    if (comes(directory_.path(), *restic_)) return;
    const auto finished = restic_->finish();
    restic_.reset();
    if (!wait.again(finished))
      throw restic.failure("mount on '" + directory_.path().string() + "'", finished);
  }
}

Mounted::~Mounted() {
  restic_.reset();
  try {
    unmount_fuse(directory_.path(), type);  // of a restic that had to be killed
  } catch (const Error& error) {
    log(Level::warn, error.what());
  }
}

fs::path Mounted::file(const StoredFile& stored) const {
  auto path = directory_.path() / "ids" / stored.snapshot;
  auto type = fs::file_type::directory;
  for (const auto& part : stored.path.relative_path()) {
    path /= part;
    std::error_code ignored;
    type = fs::symlink_status(path, ignored).type();
    if (type == fs::file_type::symlink) break;
  }
  if (type != fs::file_type::regular)
    throw Error{"'" + one_line(stored.path.string()) + "' of the snapshot " + stored.snapshot +
                " is no plain file"};
  return path;
}

}  // namespace restic
