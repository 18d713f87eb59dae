// SPDX-License-Identifier: Apache-2.0
#include "common/mount.h"
#include "tm/host/lib/view.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr std::string_view type = "fuse.vmvault";

}  // namespace

bool is_view(const fs::path& at) {
  const auto mount = mount_on(at);
  return mount && mount->type == type;
}

void unmount_view(const fs::path& at) { unmount_fuse(at, type); }

}  // namespace host
