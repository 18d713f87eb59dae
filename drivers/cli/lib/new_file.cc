// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

[[noreturn]] void refuse_busy(const fs::path& part) {
  throw Error{"'" + part.string() + "' is being written by another process"};
}

bool try_lock(const Fd& fd) { return flock(fd.get(), LOCK_EX | LOCK_NB) == 0; }

// What is at `part`, if it is a file that can be opened: a living process holds the lock on its.
Fd lock_leftover(const fs::path& part) {
  Fd fd{open(part.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!fd) return fd;
  struct stat opened, there;
  if (!try_lock(fd) || fstat(fd.get(), &opened) != 0 || lstat(part.c_str(), &there) != 0 ||
      opened.st_ino != there.st_ino || opened.st_dev != there.st_dev)
    refuse_busy(part);
  return fd;
}

void refuse_untrusted(const fs::path& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) throw system_error("examine '" + path.string() + "'", errno);
  const bool owned = info.st_uid == geteuid() || info.st_uid == 0;
  const bool shared = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0;
  if (!owned || shared)
    throw Error{"'" + path.string() + "' " +
                (owned ? "can be written by others" : "belongs to another user") +
                ", who could replace what is restored there: choose another directory"};
}

}  // namespace

NewFile::NewFile(fs::path path) : path_{std::move(path)} {
  // Held until ours is there, so that of two that find the same leftover only one goes on.
  const Fd left = lock_leftover(part());
  if (unlink(part().c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + part().string() + "'", errno);
  Fd fd = open_file(part(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!try_lock(fd)) refuse_busy(part());
  fd_ = std::move(fd);
}

NewFile::~NewFile() {
  if (fd_) unlink(named_ ? path_.c_str() : part().c_str());
}

void NewFile::give_name() {
  const auto doing = "write '" + path_.string() + "'";
  if (fsync(fd_.get()) != 0) throw system_error(doing, errno);
  int done = renameat2(AT_FDCWD, part().c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
  // Some file systems do not know the flag.
  if (done != 0 && errno == EINVAL && !fs::exists(path_))
    done = rename(part().c_str(), path_.c_str());
  if (done != 0) throw system_error(doing, errno);
  named_ = true;
  sync_directory(path_.parent_path());
}

NewDirectory::NewDirectory(const fs::path& path) : path_{path} {
  std::error_code error;
  if (const auto there = fs::status(path, error); fs::exists(there) && !fs::is_directory(there))
    throw Error{"'" + path.string() + "' is no directory"};
  // Of root's, qemu's user must reach the disks; nobody lists it.
  made_ = mkdir(path.c_str(), geteuid() == 0 ? 0711 : 0700) == 0;
  if (!made_ && errno != EEXIST)
    throw system_error("make the directory '" + path.string() + "'", errno);
  if (!made_) refuse_untrusted(path);
}

NewDirectory::~NewDirectory() {
  if (made_) rmdir(path_.c_str());
}

// By another constructor, so that the destructor removes what was made before one that cannot be.
NewDirectories::NewDirectories(const fs::path& path) : NewDirectories{} {
  std::error_code error;
  std::deque<fs::path> missing{path.has_filename() ? path : path.parent_path()};
  for (auto above = missing.front().parent_path();
       above.has_relative_path() && !fs::exists(fs::symlink_status(above, error));
       above = above.parent_path())
    missing.push_front(above);
  try {
    for (const auto& one : missing) all_.emplace_back(one);
  } catch (const Error& failure) {
    if (all_.size() + 1 == missing.size()) throw;  // it names the path itself
    throw Error{"there can be no '" + path.string() + "': " + failure.what()};
  }
}

NewDirectories::~NewDirectories() {
  while (!all_.empty()) all_.pop_back();
}

void NewDirectories::keep() {
  for (auto& one : all_) one.keep();
}

}  // namespace cli
