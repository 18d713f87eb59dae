// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/reading.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace state {
namespace {

fs::path lock_file(const Home& home) { return home.var() / "reading.lock"; }

bool try_lock(int fd, int type, int image, const fs::path& file) {
  // Of the open file, not of the process, which may do both.
  struct flock lock {};
  lock.l_type = static_cast<short>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = image;
  lock.l_len = 1;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  throw system_error("lock '" + file.string() + "'", errno);
}

}  // namespace

Reading Reading::ours(const Home& home, int image) {
  constexpr std::chrono::seconds limit{30};
  const auto file = lock_file(home);
  Fd fd = open_file(file, O_RDONLY | O_CREAT | O_NOFOLLOW);
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!try_lock(fd.get(), F_RDLCK, image, file)) {
    if (std::chrono::steady_clock::now() >= end)
      throw Error{"somebody else has locked '" + file.string() + "' for " +
                  std::to_string(limit.count()) + " s"};
    cancel::pause(std::chrono::milliseconds{20});
  }
  return Reading{std::move(fd)};
}

std::optional<Reading> Reading::nobodys(const Home& home, int image) {
  const auto file = lock_file(home);
  Fd fd = open_file(file, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!try_lock(fd.get(), F_WRLCK, image, file)) return std::nullopt;
  return Reading{std::move(fd)};
}

std::string is_being_read(int image) {
  return "image " + std::to_string(image) + " is being read (vmvault restore, download or mount)";
}

}  // namespace state
