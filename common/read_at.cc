// SPDX-License-Identifier: Apache-2.0
#include "common/read_at.h"

#include <unistd.h>

#include <cerrno>

#include "common/cancel.h"
#include "common/error.h"

std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> out,
                    const std::string& what) {
  std::size_t done = 0;
  while (done < out.size()) {
    cancel::check();
    const ssize_t n =
        pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read " + what, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}
