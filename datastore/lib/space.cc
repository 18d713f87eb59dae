// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/space.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <sstream>

#include "common/command.h"
#include "common/error.h"

Space Space::of(const std::filesystem::path& directory) {
  struct statvfs info {};
  if (statvfs(directory.c_str(), &info) != 0)
    throw system_error("measure the space of '" + directory.string() + "'", errno);
  const auto mb = [&](std::uint64_t blocks) { return blocks * info.f_frsize >> 20; };
  return {.used_mb = mb(info.f_blocks - info.f_bfree),
          .total_mb = mb(info.f_blocks),
          .free_mb = mb(info.f_bavail)};
}

// The name of the device, which comes first, may hold blanks: the numbers are counted from the
// percentage.
Space Space::parse_df(std::string_view text) {
  const std::string line = last_line(text);
  const auto percent = line.find("% /");
  const auto end = percent == line.npos ? percent : line.rfind(' ', percent);
  if (end != line.npos) {
    std::istringstream words{line.substr(0, end)};
    std::string numbers[3];
    for (std::string word; words >> word;) {
      numbers[0].swap(numbers[1]);
      numbers[1].swap(numbers[2]);
      numbers[2] = word;
    }
    std::istringstream values{numbers[0] + " " + numbers[1] + " " + numbers[2]};
    Space space;
    if (values >> space.total_mb >> space.used_mb >> space.free_mb && values.eof()) return space;
  }
  throw Error{"df gives no numbers"};
}

std::string Space::text() const {
  return "USED_MB=" + std::to_string(used_mb) + "\nTOTAL_MB=" + std::to_string(total_mb) +
         "\nFREE_MB=" + std::to_string(free_mb);
}
