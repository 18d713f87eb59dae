// SPDX-License-Identifier: Apache-2.0
// A directory that does not stay, also when its owner is killed.
#pragma once

#include <filesystem>
#include <string>

namespace restic {

// Removes what a dead process left, and its note.
void remove_noted_dir(const std::filesystem::path& note);

// A new private directory below `parent`.  A note in the file `note` says where it is, as long as
// it is there.  One process at a time.
class NotedDir {
 public:
  NotedDir(const std::filesystem::path& parent, const std::filesystem::path& note);
  NotedDir(const NotedDir&) = delete;
  NotedDir& operator=(const NotedDir&) = delete;
  ~NotedDir();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_, note_;
};

}  // namespace restic
