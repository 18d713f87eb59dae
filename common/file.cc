// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "common/cancel.h"
#include "common/error.h"
#include "common/random.h"

namespace fs = std::filesystem;

Fd open_file(const fs::path& path, int flags, mode_t mode) {
  Fd fd{open(path.c_str(), flags | O_CLOEXEC, mode)};
  if (!fd) throw system_error("open '" + path.string() + "'", errno);
  return fd;
}

namespace {

std::string read_all(const Fd& fd, const fs::path& path) {
  // A file of /proc has no size, and one that grows has too small a one.
  struct stat status {};
  fstat(fd.get(), &status);
  std::string text(std::clamp<off_t>(status.st_size, 0, 64 << 20), '\0');
  char more[65536];
  for (size_t size = 0;;) {
    const size_t left = text.size() - size;
    const ssize_t n =
        left != 0 ? read(fd.get(), text.data() + size, left) : read(fd.get(), more, sizeof more);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read '" + path.string() + "'", errno);
    if (left == 0) text.append(more, static_cast<size_t>(n));
    size += static_cast<size_t>(n);
    if (n == 0) {
      text.resize(size);
      return text;
    }
  }
}

}  // namespace

std::string read_file(const fs::path& path) { return read_all(open_file(path, O_RDONLY), path); }

std::optional<std::string> read_file_if_any(const fs::path& path) {
  const Fd fd{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd) throw system_error("open '" + path.string() + "'", errno);
  return read_all(fd, path);
}

void write_all(int fd, std::string_view bytes, std::string_view doing) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error(doing, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

namespace {

using TextOf = std::function<std::string(int fd)>;

// A birth time cannot be set, and tells a file from one that has got its number later.
std::string place_of(int directory, const char* path, int flags) {
  struct statx it {};
  if (statx(directory, path, flags, STATX_INO | STATX_BTIME, &it) != 0) return "";
  const bool born = (it.stx_mask & STATX_BTIME) != 0;
  std::string text = read_file_if_any("/proc/sys/kernel/random/boot_id").value_or("");
  text.erase(text.find_last_not_of('\n') + 1);
  if (text.empty()) return "";
  for (const std::uint64_t part :
       {std::uint64_t{it.stx_dev_major}, std::uint64_t{it.stx_dev_minor}, std::uint64_t{it.stx_ino},
        born ? static_cast<std::uint64_t>(it.stx_btime.tv_sec) : 0,
        born ? std::uint64_t{it.stx_btime.tv_nsec} : 0})
    text += "." + std::to_string(part);
  return text;
}

void fill(const Fd& fd, const TextOf& text, mode_t mode, const std::string& doing) {
  write_all(fd.get(), text(fd.get()), doing);
  if (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0) throw system_error(doing, errno);
}

// Its text has no name until it is whole, and then this one beside the path: what a process leaves
// that is killed in that moment is in the way of nobody, and goes with the next text.
std::string name_beside(const fs::path& path, const fs::path& directory) {
  return (directory / ("." + path.filename().string() + ".vmvault")).string();
}

enum class Placed { yes, taken, impossible };

// impossible: the file system has no files without names, there is no /proc, or something else has
// that name.  taken: somebody else writes the same file, and was faster.
Placed place(const fs::path& path, const fs::path& directory, const TextOf& text, mode_t mode) {
  const std::string doing = "write '" + path.string() + "'";
  const Fd fd{open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)};
  if (!fd) return Placed::impossible;
  fill(fd, text, mode, doing);
  const auto self = "/proc/self/fd/" + std::to_string(fd.get());
  const auto name = name_beside(path, directory);
  while (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno != EEXIST) return Placed::impossible;
    if (unlink(name.c_str()) != 0 && errno != ENOENT) return Placed::impossible;
  }
  if (rename(name.c_str(), path.c_str()) == 0) return Placed::yes;
  if (errno == ENOENT) return Placed::taken;
  const int why = errno;
  unlink(name.c_str());
  throw system_error(doing, why);
}

void place_named(const fs::path& path, const TextOf& text, mode_t mode) {
  const std::string doing = "write '" + path.string() + "'";
  std::string name = path.string() + ".XXXXXX";
  const Fd fd{mkostemp(name.data(), O_CLOEXEC)};
  if (!fd) throw system_error(doing, errno);
  try {
    fill(fd, text, mode, doing);
    if (rename(name.c_str(), path.c_str()) != 0) throw system_error(doing, errno);
  } catch (...) {
    unlink(name.c_str());
    throw;
  }
}

void write_text(const fs::path& path, const TextOf& text, mode_t mode) {
  const fs::path directory = path.has_parent_path() ? path.parent_path() : ".";
  auto placed = Placed::taken;
  while (placed == Placed::taken) placed = place(path, directory, text, mode);
  if (placed == Placed::impossible) place_named(path, text, mode);
  sync_directory(directory);
}

}  // namespace

void write_file(const fs::path& path, std::string_view text, mode_t mode) {
  write_text(
      path, [&](int) { return std::string{text}; }, mode);
}

void write_file(const fs::path& path,
                const std::function<std::string(const std::string& place)>& text, mode_t mode) {
  write_text(
      path, [&](int fd) { return text(place_of(fd, "", AT_EMPTY_PATH)); }, mode);
}

std::string place_of(const fs::path& path) {
  return place_of(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW);
}

bool is_elsewhere(const fs::path& path, const std::string& place) {
  return !place.empty() && place != place_of(path);
}

void sync_directory(const fs::path& directory) {
  const Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (fsync(fd.get()) != 0) throw system_error("sync '" + directory.string() + "'", errno);
}

std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at{directory, error}, end; !error && at != end; at.increment(error))
    out.push_back(at->path());
  if (error) throw system_error("read the directory '" + directory.string() + "'", error.value());
  return out;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw system_error("remove '" + path.string() + "'", error.value());
}

TempDir::TempDir(const fs::path& parent) {
  std::string name = (parent / "vmvault.XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw system_error("make a directory in '" + parent.string() + "'", errno);
  path_ = name;
}

TempDir::TempDir(Named name) : path_{std::move(name.path)} {
  if (mkdir(path_.c_str(), 0700) != 0)
    throw system_error("make the directory '" + path_.string() + "'", errno);
}

TempDir::Named TempDir::free_name() {
  return {fs::temp_directory_path() / ("vmvault." + random_hex(12))};
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::optional<FileLock> FileLock::try_lock(const fs::path& path) {
  Fd fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock{std::move(fd)};
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw system_error("lock '" + path.string() + "'", errno);
}

std::optional<FileLock> FileLock::try_lock_for(const fs::path& path,
                                               std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (auto lock = try_lock(path)) return lock;
    cancel::check();
    if (std::chrono::steady_clock::now() >= end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

FileLock FileLock::lock(const fs::path& path, std::chrono::seconds limit, std::string_view what) {
  if (auto lock = try_lock_for(path, limit)) return *std::move(lock);
  throw Error{std::string{what} + " is in use by another process ('" + path.string() +
              "' is locked)"};
}
