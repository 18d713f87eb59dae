// SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/command.h"
#include "common/error.h"
#include "common/mount.h"
#include "tm/host/lib/view.h"

namespace fs = std::filesystem;

namespace host {

bool is_view(const fs::path& at) {
  const auto mount = mount_on(at);
  return mount && mount->type == "fuse.vmvault";
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
