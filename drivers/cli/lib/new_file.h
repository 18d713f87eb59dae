// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all, and never in place of another.
#pragma once

#include <deque>
#include <filesystem>

#include "common/handle.h"

namespace cli {

// "<path>.part" until it gets its name; removed by the destructor unless released.
class NewFile {
 public:
  // An Error when the part is in use by another process.  What an earlier one left, or anybody put
  // there, is removed: nothing is followed, and nothing is written into.
  explicit NewFile(std::filesystem::path path);
  NewFile(NewFile&&) = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path part() const { return path_.string() + ".part"; }

  // Gives it its name, durably.  An Error, and nothing changed, if there is a file of that name.
  void give_name();
  void release() { fd_.reset(); }  // it stays

 private:
  std::filesystem::path path_;
  bool named_ = false;
  Fd fd_;
};

// A directory that is made if it is not there, and removed again unless kept.  An Error for one in
// which another user could put other files in the place of ours: it must be ours or root's, and
// writable by nobody else unless it is sticky, as /tmp is.
class NewDirectory {
 public:
  explicit NewDirectory(const std::filesystem::path& path);
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;
  ~NewDirectory();
  void keep() { made_ = false; }

 private:
  std::filesystem::path path_;
  bool made_;
};

// The same with all that is missing above it.
class NewDirectories {
 public:
  explicit NewDirectories(const std::filesystem::path& path);
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;
  ~NewDirectories();
  void keep();

 private:
  NewDirectories() = default;
  std::deque<NewDirectory> all_{};
};

}  // namespace cli
