// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/guarded.h"

#include <sqlite3.h>

#include <system_error>

namespace state {
namespace {

// SQLite makes the index of its log in steps of 32 KiB.
constexpr std::uintmax_t least_room = 64 << 10;

bool is_full(const std::filesystem::path& file) {
  std::error_code unknown;
  const auto room = std::filesystem::space(file.parent_path(), unknown);
  return !unknown && room.available < least_room;
}

}  // namespace

Error failure_of(const std::filesystem::path& file, const SQLite::Exception& error) {
  const auto words = one_line(error.what());
  const bool full = (error.getErrorCode() & 0xff) == SQLITE_IOERR && is_full(file);
  return Error{"the state file '" + file.string() +
               "': " + (full ? "its file system is full (" + words + ")" : words)};
}

}  // namespace state
