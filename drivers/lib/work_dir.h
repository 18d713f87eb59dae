// SPDX-License-Identifier: Apache-2.0
// Files that a command, or a child of the service, needs while it works: <var>/work.<random>.
#pragma once

#include <filesystem>
#include <optional>

#include "common/file.h"
#include "drivers/lib/home.h"

namespace state {

// A new private directory, removed with all in it at the end; what a process leaves that was killed
// goes with the next Home::prepare().
class WorkDir {
 public:
  explicit WorkDir(const Home& home);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::optional<FileLock> lock_;  // after the directory is gone: nobody else removes it meanwhile
  TempDir dir_;
  std::filesystem::path path_;  // in it, beside the lock
};

// Those of processes that are gone, under the lock of the state directory.
void remove_left_work(const std::filesystem::path& var) noexcept;

}  // namespace state
