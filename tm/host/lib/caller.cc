// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/caller.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"

namespace host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_line = std::size_t{128} << 20;  // the NVRAM of a guest, in base64

}  // namespace

void Caller::say(std::string_view line) {
  write_all(STDOUT_FILENO, std::string{line} + "\n", "tell who called us");
}

// He answers one question, and then says nothing until the next: whole reads lose nothing.
std::string Caller::listen(std::chrono::seconds limit) {
  const auto until = Clock::now() + limit;
  std::string line;
  while (!line.ends_with('\n')) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0)
      throw Error{"who began this backup has not answered for " + std::to_string(limit.count()) +
                  " s"};
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {cancel::fd(), POLLIN, 0}, {guard_.fd(), POLLIN, 0}};
    poll(fds, std::size(fds), static_cast<int>(left.count()));
    cancel::check();
    guard_.check();
    if (fds[0].revents == 0) continue;
    std::array<char, 65536> buffer;
    const ssize_t n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) throw Cancelled{};
    line.append(buffer.data(), static_cast<std::size_t>(n));
    if (line.size() > longest_line) throw Error{"who began this backup says too much"};
  }
  line.pop_back();
  return line;
}

}  // namespace host
