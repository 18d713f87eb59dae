// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "common/cancel.h"
#include "common/error.h"

Output::Output() {
  struct stat info {};
  if (fstat(STDOUT_FILENO, &info) == 0 && S_ISFIFO(info.st_mode))
    own_.reset(open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

void Output::write(std::span<const std::byte> bytes) {
  const int out = own_ ? own_.get() : STDOUT_FILENO;
  while (!bytes.empty()) {
    cancel::check();
    const ssize_t n = ::write(out, bytes.data(), bytes.size());
    if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
    if (n != -1 || errno == EINTR) continue;
    if (errno != EAGAIN) throw system_error("write to stdout", errno);
    pollfd fds[] = {{out, POLLOUT, 0}, {cancel::fd(), POLLIN, 0}};
    poll(fds, std::size(fds), -1);
  }
}
