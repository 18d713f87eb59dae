// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/held.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "common/error.h"
#include "common/file.h"

namespace {

constexpr std::chrono::seconds patience{10};

std::string whole(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Held::Held(const std::vector<std::string>& argv, std::string_view input, std::string name) {
  Pipe in, out;
  // Its words go to memory: nobody has to read them in time.
  err_.reset(memfd_create("stderr", MFD_CLOEXEC));
  if (!err_) throw system_error("keep the messages of " + name, errno);
  child_.emplace(argv, std::vector<std::string>{}, in.read.get(), out.write.get(), err_.get());
  in.read.reset();
  write_all(in.write.get(), input, "start " + name);
  input_ = std::move(in.write);
  out_ = std::move(out.read);
}

Held::~Held() {
  input_.reset();
  const auto end = std::chrono::steady_clock::now() + patience;
  std::vector<char> waste(std::size_t{1} << 16);
  bool gone = child_->fd() == -1;
  while (!gone && std::chrono::steady_clock::now() < end) {
    pollfd fds[] = {{child_->fd(), POLLIN, 0}, {out_.get(), POLLIN, 0}};
    if (poll(fds, std::size(fds), 1000) <= 0) continue;
    gone = fds[0].revents != 0;
    if (fds[1].revents != 0 && read(out_.get(), waste.data(), waste.size()) <= 0) out_.reset();
  }
}

Finished Held::finish() { return {.status = child_->wait(), .out = {}, .err = said()}; }

std::string Held::said() const { return whole(err_.get()); }
