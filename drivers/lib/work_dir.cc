// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/work_dir.h"

#include <chrono>

#include "common/error.h"
#include "common/random.h"

namespace fs = std::filesystem;

namespace state {
namespace {

constexpr const char* prefix = "work.";

fs::path lock_file(const fs::path& dir) { return dir / "lock"; }

}  // namespace

// Nobody takes it for one that was left before it is locked.
WorkDir::WorkDir(const Home& home)
    : lock_{home.lock()},
      dir_{TempDir::Named{home.var() / (prefix + random_hex(16))}},
      path_{dir_.path() / "files"} {
  lock_ = FileLock::lock(lock_file(dir_.path()), std::chrono::seconds{30}, "a new directory");
  fs::create_directory(path_);
}

void remove_left_work(const fs::path& var) noexcept try {
  for (const auto& dir : entries_of(var)) {
    if (!dir.filename().string().starts_with(prefix)) continue;
    try {
      if (const auto ours = FileLock::try_lock(lock_file(dir))) remove_tree(dir);
    } catch (const Error&) {  // it is going, or no directory
    }
  }
} catch (const std::exception&) {  // what is wrong with the directory is told by who needs it
}

}  // namespace state
