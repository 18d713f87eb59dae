// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/register.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/left_hosts.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace host {
namespace {

fs::path directory() {
  var_dir();
  const fs::path dir = register_of_this_host();
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error("make '" + dir.string() + "'", errno);
  return dir;
}

// Speaking for who reads it, and different for every path.
fs::path link_for(const fs::path& vm_dir) {
  const auto hash = std::hash<std::string>{}(vm_dir.string());
  return directory() / (vm_dir.filename().string() + "." + std::to_string(hash));
}

}  // namespace

void enter(const fs::path& vm_dir) {
  const fs::path link = link_for(vm_dir);
  if (symlink(vm_dir.c_str(), link.c_str()) != 0 && errno != EEXIST)
    throw system_error("make '" + link.string() + "'", errno);
  sync_directory(link.parent_path());
}

void strike_out(const fs::path& vm_dir) noexcept try {
  const fs::path link = link_for(vm_dir);
  if (unlink(link.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + link.string() + "'", errno);
} catch (const std::exception& e) {
  log(Level::warn, e.what());
}

std::vector<fs::path> entered() {
  std::vector<fs::path> out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{register_of_this_host(), none})
    if (entry.is_symlink()) out.push_back(fs::read_symlink(entry.path()));
  return out;
}

}  // namespace host
