// SPDX-License-Identifier: Apache-2.0
// Files that other programs read, and directories that must not stay behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/handle.h"

// open(2) with O_CLOEXEC; throws an Error that names the path.
Fd open_file(const std::filesystem::path& path, int flags, mode_t mode = 0600);

// The whole file.  Throws an Error that names the path.
std::string read_file(const std::filesystem::path& path);
std::optional<std::string> read_file_if_any(const std::filesystem::path& path);

// All of it, or an Error that says `doing`.
void write_all(int fd, std::string_view bytes, std::string_view doing);

// Readers see the old text or the new one, never a part, also after a power cut: written
// beside `path`, fsynced, renamed, and the directory fsynced.
void write_file(const std::filesystem::path& path, std::string_view text, mode_t mode = 0600);

// The same, of a file that says which one it is: `text` gets what place_of(path) is then.
void write_file(const std::filesystem::path& path,
                const std::function<std::string(const std::string& place)>& text,
                mode_t mode = 0600);

// This very file, in this boot, in a word.  Of a copy it is another, also of one that was put back
// under the same name, and after a reboot, so also of what came back with a snapshot of the whole
// machine.  Empty: there is none.
std::string place_of(const std::filesystem::path& path);
// That is said of another file than this one.  An older version has said nothing: not so.
bool is_elsewhere(const std::filesystem::path& path, const std::string& place);

// Make a rename, creation or removal in `directory` durable.
void sync_directory(const std::filesystem::path& directory);

// The paths of what is in it, in no order.  Throws an Error that names it.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory);

// rm -rf that never follows a link and does not mind if there is nothing.  Throws an Error
// that names the path.
void remove_tree(const std::filesystem::path& path);

// Removes the file, if it is there, at the end.
struct Removed {
  std::filesystem::path path;
  ~Removed() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

// A new private directory (mode 0700) below `parent`, removed with all in it at the end.
class TempDir {
 public:
  explicit TempDir(const std::filesystem::path& parent = std::filesystem::temp_directory_path());
  // The same with a name that somebody knows already, who would remove it after our death.  Throws
  // Error also if there is such a file.
  struct Named {
    std::filesystem::path path;
  };
  explicit TempDir(Named name);
  static Named free_name();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// An exclusive lock (flock) on a file that is made if need be and never removed.  Released
// by the destructor, or by the death of the last process that holds the descriptor.
class FileLock {
 public:
  // nullopt: somebody else holds it.
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);
  // Waits; nullopt: somebody else still holds it when the limit is over.  Or Cancelled.
  static std::optional<FileLock> try_lock_for(const std::filesystem::path& path,
                                              std::chrono::milliseconds limit);
  // The same, and gives up with an Error that says `what` is in use.
  static FileLock lock(const std::filesystem::path& path, std::chrono::seconds limit,
                       std::string_view what);
  int fd() const { return fd_.get(); }

 private:
  explicit FileLock(Fd fd) : fd_{std::move(fd)} {}
  Fd fd_;
};
