// SPDX-License-Identifier: Apache-2.0
#include "common/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace {

// The kernel writes blanks and the like as \ooo.
std::string unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

// proc(5): the third word is major:minor, the fifth the mount point; the type follows a lone "-".
std::optional<Mount> mount_on(const fs::path& path) {
  // Not canonical(): a dead file system cannot be looked into, its parent can.
  std::error_code error;
  const fs::path wanted = fs::canonical(path.parent_path(), error) / path.filename();
  if (error) return std::nullopt;
  std::optional<Mount> found;
  std::istringstream mounts{read_file("/proc/self/mountinfo")};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string id, parent, device, root, point, word;
    words >> id >> parent >> device >> root >> point;
    if (unescape(point) != wanted.string()) continue;
    while (words >> word && word != "-") {
    }
    Mount mount;
    words >> mount.type;
    if (std::sscanf(device.c_str(), "%*u:%u", &mount.minor) == 1) found = mount;
  }
  return found;
}

std::string no_fuse_because() {
  if (access("/dev/fuse", R_OK | W_OK) != 0)
    return std::string{"/dev/fuse cannot be used: "} + std::strerror(errno);
  if (geteuid() == 0) return "";
  try {
    Command{"fusermount3", "--version"}.output();
    return "";
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
}

void unmount_fuse(const fs::path& path, std::string_view type) {
  const auto there = [&] {
    const auto mount = mount_on(path);
    return mount && mount->type == type;
  };
  for (int tries = 0; tries < 8 && there(); ++tries) {
    if (geteuid() == 0)
      umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    else
      Command{"fusermount3", "-u", "-z", "--", path.string()}.shielded().run();
  }
  if (there()) throw Error{"cannot unmount '" + path.string() + "'"};
}

bool break_fuse(const fs::path& path, const Mount& mount) noexcept {
  const auto file = "/sys/fs/fuse/connections/" + std::to_string(mount.minor) + "/abort";
  const Fd abort{open(file.c_str(), O_WRONLY | O_CLOEXEC)};
  if (abort && write(abort.get(), "1", 1) == 1) return true;
  // That directory need not be mounted.  A file system that is in use stays, but is broken.
  return geteuid() == 0 &&
         (umount2(path.c_str(), MNT_FORCE | UMOUNT_NOFOLLOW) == 0 || errno == EBUSY);
}
