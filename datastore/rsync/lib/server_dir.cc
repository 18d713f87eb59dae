// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_dir.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "common/cancel.h"
#include "common/file.h"
#include "common/random.h"

namespace rsync {
namespace {

using Listing = Owned<DIR, closedir>;

constexpr int directory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

bool is_dot(const std::string& name) { return name == "." || name == ".."; }

}  // namespace

void throw_write_error(const std::string& doing, int error_number) {
  const auto error = system_error(doing, error_number);
  if (error_number == ENOSPC || error_number == EDQUOT) throw Full{error.what()};
  throw error;
}

Error Dir::error(const char* doing, const std::string& name) const {
  return system_error(std::string{doing} + " '" + in(name) + "'", errno);
}

Dir Dir::open(const std::string& path) { return {open_file(path, directory), path}; }

Dir Dir::make_all(const std::string& path) {
  for (std::size_t slash = 1; slash != path.npos;) {
    slash = path.find('/', slash + 1);
    const auto part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0777) == 0)
      sync_directory(std::filesystem::path{part}.parent_path());
    else if (errno != EEXIST)
      throw_write_error("make the directory '" + part + "'", errno);
  }
  return open(path);
}

std::optional<Dir> Dir::find(const std::string& name) const {
  Fd fd{openat(fd_.get(), name.c_str(), directory | O_NOFOLLOW)};
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) throw error("open", name);
  return Dir{std::move(fd), in(name)};
}

Dir Dir::at(const std::string& name) const {
  auto found = find(name);
  if (!found) throw Error{"there is no '" + in(name) + "'"};
  return *std::move(found);
}

bool Dir::make(const std::string& name) const {
  if (mkdirat(fd_.get(), name.c_str(), 0777) == 0) return true;
  if (errno != EEXIST) throw_write_error("make the directory '" + in(name) + "'", errno);
  return false;
}

std::optional<Fd> Dir::find_file(const std::string& name) const {
  // A pipe must not make us wait.
  Fd fd{openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) throw error("open", name);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) throw error("open", name);
  if (!S_ISREG(info.st_mode)) throw Error{"'" + in(name) + "' is no regular file"};
  return fd;
}

Fd Dir::file(const std::string& name) const {
  auto found = find_file(name);
  if (!found) throw Error{"there is no '" + in(name) + "'"};
  return *std::move(found);
}

Fd Dir::create(const std::string& name) const {
  Fd fd{openat(fd_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd) throw_write_error("create '" + in(name) + "'", errno);
  return fd;
}

Fd Dir::reopen(const std::string& name) const {
  Fd fd{openat(fd_.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) throw error("open", name);
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1)
    throw Error{"'" + in(name) + "' is no regular file of its own"};
  return fd;
}

std::string Dir::text(const std::string& name, std::size_t most) const {
  const Fd fd = file(name);
  std::string text;
  char buffer[65536];
  for (ssize_t n; (n = read(fd.get(), buffer, sizeof buffer)) != 0;) {
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw error("read", name);
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > most) throw Error{"'" + in(name) + "' is too long"};
  }
  return text;
}

void Dir::write(const std::string& name, std::string_view text) const {
  const auto beside = "." + name + "." + random_hex(6);
  const auto doing = "write '" + in(name) + "'";
  const Fd fd = create(beside);
  try {
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t n = ::write(fd.get(), rest.data(), rest.size());
      if (n == -1 && errno == EINTR) continue;
      if (n == -1) throw_write_error(doing, errno);
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (fsync(fd.get()) != 0 || renameat(fd_.get(), beside.c_str(), fd_.get(), name.c_str()) != 0)
      throw_write_error(doing, errno);
  } catch (...) {
    unlinkat(fd_.get(), beside.c_str(), 0);
    throw;
  }
  sync();
}

std::vector<Dir::Entry> Dir::entries() const {
  Fd again{openat(fd_.get(), ".", directory)};
  if (!again) throw error("read", ".");
  const Listing listing{fdopendir(again.get())};
  if (!listing) throw error("read", ".");
  again.release();
  std::vector<Entry> entries;
  while (const auto* entry = readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (is_dot(name)) continue;
    if (auto info = status(name)) entries.push_back({name, *info});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

std::optional<struct stat> Dir::status(const std::string& name) const {
  struct stat info {};
  if (fstatat(fd_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return info;
  if (errno == ENOENT) return std::nullopt;
  throw error("look at", name);
}

bool Dir::is(const std::string& name) const {
  struct stat own {};
  if (fstat(fd_.get(), &own) != 0) throw error("look at", ".");
  struct stat info {};
  const auto parent = Fd{openat(fd_.get(), "..", directory)};
  return parent && fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         info.st_ino == own.st_ino && info.st_dev == own.st_dev;
}

bool Dir::rename(const std::string& from, const std::string& to) const {
  if (renameat2(fd_.get(), from.c_str(), fd_.get(), to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) {
    // A directory replaces at most an empty one.
    if (status(to)) return false;
    if (renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) == 0) return true;
  }
  if (errno == EEXIST || errno == ENOTEMPTY) return false;
  throw_write_error("rename '" + in(from) + "'", errno);
}

bool Dir::exchange(const std::string& a, const std::string& b) const {
  if (renameat2(fd_.get(), a.c_str(), fd_.get(), b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  throw error("exchange", b);
}

void Dir::remove_file(const std::string& name) const {
  if (unlinkat(fd_.get(), name.c_str(), 0) != 0 && errno != ENOENT) throw error("remove", name);
}

void Dir::remove_tree(const std::string& name) const {
  if (unlinkat(fd_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) throw error("remove", name);
  if (const auto inside = find(name))
    for (const auto& entry : inside->entries()) {
      cancel::check();
      inside->remove_tree(entry.name);
    }
  if (unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    throw error("remove", name);
}

void Dir::sync() const {
  // Some file systems of the network keep nothing back, and do not know the question.
  if (fsync(fd_.get()) != 0 && errno != EINVAL) throw_write_error("sync '" + path_ + "'", errno);
}

}  // namespace rsync
