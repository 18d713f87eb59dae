// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/dump.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "common/cancel.h"
#include "common/file.h"

namespace restic {
namespace {

constexpr std::chrono::seconds patience{10};
constexpr int most_connections = 4;

std::string whole(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Dump::Dump(const Restic& restic, std::string snapshot, std::filesystem::path path)
    : restic_{restic},
      snapshot_{std::move(snapshot)},
      path_{std::move(path)},
      wait_{restic, Care::cancellable} {
  start();
}

Dump::~Dump() {
  request_.reset();
  const auto end = std::chrono::steady_clock::now() + patience;
  std::vector<char> waste(std::size_t{1} << 16);
  bool exited = child_->fd() == -1;
  while (!exited && std::chrono::steady_clock::now() < end) {
    pollfd fds[] = {{child_->fd(), POLLIN, 0}, {out_.get(), POLLIN, 0}};
    if (poll(fds, std::size(fds), 1000) <= 0) continue;
    exited = fds[0].revents != 0;
    if (fds[1].revents != 0 && ::read(out_.get(), waste.data(), waste.size()) <= 0) out_.reset();
  }
}

void Dump::start() {
  Pipe in, out;
  // Words of restic go to memory: nobody has to read them in time.
  err_.reset(memfd_create("restic-stderr", MFD_CLOEXEC));
  if (!err_) throw system_error("keep the messages of restic", errno);
  child_.reset();
  child_.emplace(restic_.machine().helper(), std::vector<std::string>{}, in.read.get(),
                 out.write.get(), err_.get());
  in.read.reset();
  auto request = restic_.request({"--quiet", "dump", snapshot_, path_.string()}, Moves::out);
  // One of many side by side: more threads of its own would only cost memory.
  request.env["GOMAXPROCS"] = "1";
  write_all(in.write.get(), request.encode(), "start restic");
  request_ = std::move(in.write);
  out_ = std::move(out.read);
}

std::size_t Dump::read(std::span<std::byte> out) {
  for (;;) {
    pollfd fds[] = {{out_.get(), POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    if (poll(fds, std::size(fds), -1) == -1 && errno != EINTR)
      throw system_error("wait for restic", errno);
    cancel::check();
    const ssize_t n = ::read(out_.get(), out.data(), out.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read from restic", errno);
    if (n > 0) {
      begun_ = true;
      return static_cast<std::size_t>(n);
    }
    const auto finished = finish();
    if (finished.ok()) return 0;
    if (begun_ || !again(finished))
      throw restic_.failure("read '" + path_.string() + "' of the snapshot " + snapshot_, finished);
    start();
  }
}

// A server that is asked by many at once may turn some of them away.
bool Dump::again(const Finished& finished) {
  if (classify(finished.status, finished.err) != Outcome::no_connection)
    return wait_.again(finished);
  if (connections_ == most_connections) return false;
  pause(std::chrono::seconds{connections_++}, Care::cancellable);
  return true;
}

// May be asked again after the end: then nothing is left to collect.
Finished Dump::finish() { return {.status = child_->wait(), .out = {}, .err = whole(err_.get())}; }

}  // namespace restic
