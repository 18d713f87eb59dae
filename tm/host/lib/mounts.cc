// SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "tm/host/lib/view.h"

namespace fs = std::filesystem;

namespace host {
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

// proc(5): the fifth word is the mount point; the type follows a lone "-".
bool is_view(const fs::path& at) {
  // Not canonical(): a dead view cannot be looked into, its parent can.
  std::error_code error;
  const fs::path wanted = fs::canonical(at.parent_path(), error) / at.filename();
  if (error) return false;
  std::istringstream mounts{read_file("/proc/self/mountinfo")};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string id, parent, device, root, point, rest;
    words >> id >> parent >> device >> root >> point;
    std::getline(words, rest);
    if (unescape(point) == wanted.string() && rest.find(" - fuse.vmvault ") != rest.npos)
      return true;
  }
  return false;
}

void unmount_view(const fs::path& at) {
  for (int tries = 0; tries < 8 && is_view(at); ++tries) {  // one may lie over another
    if (geteuid() == 0)
      umount2(at.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    else
      Command{"fusermount3", "-u", "-z", "--", at.string()}.shielded().run();
  }
  if (is_view(at)) throw Error{"cannot unmount the view on '" + at.string() + "'"};
}

std::string no_view_because() {
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

}  // namespace host
