// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_process.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/command.h"
#include "common/error.h"
#include "datastore/rsync/lib/link_target.h"

namespace rsync {
namespace {

constexpr std::size_t most_said = 64 << 10;
// For a program that has lost its stdin and stdout, to undo; and then for the signal.
constexpr std::chrono::milliseconds to_end{3000};
// For one that has closed its stdin: it is about to end.
constexpr std::chrono::milliseconds to_leave{5000};
constexpr Stop stop{SIGTERM, std::chrono::seconds{2}};

void make_ready(const Fd& fd) {
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  fcntl(fd.get(), F_SETPIPE_SZ, 1 << 20);  // an ordinary user may have used up his share: as it is
}

}  // namespace

ProcessLink::ProcessLink(const std::vector<std::string>& argv, By by, const std::string& whom,
                         Terms terms)
    : ProcessLink{argv, by, whom, terms, Pipe{}, Pipe{}, Pipe{}} {}

ProcessLink::ProcessLink(const std::vector<std::string>& argv, By by, const std::string& whom,
                         Terms terms, Pipe in, Pipe out, Pipe err)
    : by_{by},
      whom_{whom},
      patience_{whom, terms},
      child_{argv, {}, in.read.get(), out.write.get(), err.write.get(), stop},
      in_{std::move(in.write)},
      out_{std::move(out.read)},
      err_{std::move(err.read)} {
  for (const Fd* fd : {&in_, &out_}) make_ready(*fd);
  fcntl(err_.get(), F_SETFL, O_NONBLOCK);
}

ProcessLink::~ProcessLink() {
  if (ended_) return;
  in_.reset();
  out_.reset();
  err_.reset();
  child_.ask(SIGCONT);
  pollfd exited{child_.fd(), POLLIN, 0};
  poll(&exited, 1, static_cast<int>(to_end.count()));
}

void ProcessLink::listen() {
  char buffer[4096];
  while (err_) {
    const ssize_t n = ::read(err_.get(), buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n <= 0) return err_.reset();
    end_.said.append(buffer, static_cast<std::size_t>(n));
    if (end_.said.size() > 2 * most_said) end_.said.erase(0, end_.said.size() - most_said);
  }
}

void ProcessLink::await_exit(std::chrono::milliseconds at_most) {
  while (!ended_) {
    pollfd fds[] = {{child_.fd(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
    if (!patience_.wait(fds, at_most)) return;
    listen();
    if (fds[0].revents == 0) continue;
    end_.status = child_.wait();
    ended_ = true;
  }
}

void ProcessLink::lost() {
  const auto why = one_line(last_line(end_.said));
  const bool connection = by_ == By::ssh && end_.status == ssh_failed;
  if (connection && end_.said.find("exec request failed on channel") != std::string::npos)
    throw NoPrograms{whom_ + " starts no programs"};
  throw Error{(connection ? "the connection to " + whom_ + " failed"
                          : "the program on " + whom_ + " has ended") +
              (why.empty() ? "" : ": " + why) + (connection ? ssh_remedy(end_.said) : "")};
}

std::size_t ProcessLink::read(std::span<std::byte> out) {
  patience_.moved();
  while (out_) {
    const ssize_t n = ::read(out_.get(), out.data(), out.size());
    if (n > 0) {
      received_ += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
    if (n == 0) {
      out_.reset();
    } else if (errno == EAGAIN) {
      pollfd fds[] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
      patience_.wait(fds);
      listen();
    } else if (errno != EINTR) {
      throw system_error("read from " + whom_, errno);
    }
  }
  // ssh ends with its output: whether that was the program's end, its status says.
  if (by_ == By::ssh && (await_exit(), end_.status == ssh_failed)) lost();
  return 0;
}

void ProcessLink::write(std::span<const std::byte> bytes) {
  patience_.moved();
  while (!bytes.empty()) {
    const ssize_t n = ::write(in_.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      sent_ += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      patience_.moved();
    } else if (errno == EAGAIN) {
      pollfd fds[] = {{in_.get(), POLLOUT, 0}, {err_.get(), POLLIN, 0}};
      patience_.wait(fds);
      listen();
    } else if (errno == EPIPE) {
      in_.reset();
      await_exit(to_leave);
      if (!ended_) throw Error{"the program on " + whom_ + " takes no more, and does not end"};
      lost();
    } else if (errno != EINTR) {
      throw system_error("write to " + whom_, errno);
    }
  }
}

Link::End ProcessLink::wait() {
  patience_.moved();
  await_exit();
  if (by_ == By::ssh && end_.status == ssh_failed) lost();
  return end_;
}

}  // namespace rsync
