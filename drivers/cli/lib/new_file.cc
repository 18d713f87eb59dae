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

NewFile::NewFile(fs::path path) : path_{std::move(path)} {
  // Locked before it is emptied: another restore may be writing it.
  Fd fd = open_file(part(), O_WRONLY | O_CREAT, 0600);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error{"'" + part().string() + "' is being written by another process"};
  if (ftruncate(fd.get(), 0) != 0) throw system_error("empty '" + part().string() + "'", errno);
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
  // Passable: qemu's user must reach the disks in it.
  made_ = mkdir(path.c_str(), 0755) == 0;
  if (!made_ && errno != EEXIST)
    throw system_error("make the directory '" + path.string() + "'", errno);
}

NewDirectory::~NewDirectory() {
  if (made_) rmdir(path_.c_str());
}

}  // namespace cli
