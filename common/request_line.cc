// SPDX-License-Identifier: Apache-2.0
#include "common/request_line.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "common/error.h"

std::string read_request_line(int fd, std::size_t longest) {
  std::string line;
  std::array<char, 65536> buffer;
  for (bool whole = false; !whole;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the request", errno);
    if (n == 0) throw BadRequest{"the request ended before its line did"};
    const std::string_view part{buffer.data(), static_cast<std::size_t>(n)};
    whole = part.find('\n') != part.npos;
    line += part;
    if (line.size() > longest) throw BadRequest{"the request is too long"};
  }
  return line;
}
