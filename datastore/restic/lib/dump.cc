// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/dump.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "common/cancel.h"

namespace restic {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int most_connections = 4, most_stuck = 4;

// Until a reader takes it.  More than that is in each file, so that restic cannot end before.
constexpr int little = 4096;
// Then: fewer changes between restic and us; an ordinary user may have used up his share.
constexpr int plenty = 1 << 20;

// From its begin on.  A cancellation has five seconds for all there is.
constexpr std::chrono::seconds to_take_its_lock{15}, when_cancelled{2};

}  // namespace

Dump::Dump(const Restic& restic, std::string snapshot, std::filesystem::path path, Threads threads,
           std::optional<std::chrono::seconds> patience)
    : restic_{restic},
      snapshot_{std::move(snapshot)},
      path_{std::move(path)},
      threads_{threads},
      wait_{restic, Care::cancellable},
      patience_{patience} {
  start();
}

// restic forgets the lock that it is taking when it is interrupted (0.14: for the fifth of a second
// in which it looks for others, at least); with its first byte it has it, and removes it.
Dump::~Dump() {
  if (!held_ || begun_) return;
  const auto end = started_ + (cancel::requested() ? when_cancelled : to_take_its_lock);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  pollfd first{held_->out(), POLLIN, 0};
  if (left.count() > 0) poll(&first, 1, static_cast<int>(left.count()));
}

void Dump::start() {
  auto request = restic_.request({"--quiet", "dump", snapshot_, path_.string()}, Moves::out);
  if (threads_ == Threads::one) request.env["GOMAXPROCS"] = "1";
  held_.reset();
  started_ = Clock::now();
  held_.emplace(restic_.machine().helper(), request.encode(), "restic");
  fcntl(held_->out(), F_SETPIPE_SZ, little);
}

// restic (0.14) tries for a minute and a half to read a lock that it has seen, and whose owner has
// ended meanwhile.
bool Dump::is_stuck() const {
  return !begun_ && stuck_ < most_stuck && held_->said().find("Load(<lock/") != std::string::npos;
}

// False: there was nothing for as long as our patience lasts.
bool Dump::wait() {
  for (const auto asked = Clock::now();;) {
    pollfd fds[] = {{held_->out(), POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    const int ready = poll(fds, std::size(fds), 1000);
    if (ready == -1 && errno != EINTR) throw system_error("wait for restic", errno);
    cancel::check();
    if (ready > 0) return true;
    if (is_stuck()) {
      ++stuck_;
      held_.reset();
      restic_.clear_stale_locks(Care::cancellable);  // it may have left its own
      start();
    } else if (patience_ && Clock::now() - asked >= *patience_) {
      return false;
    }
  }
}

void Dump::await() { wait(); }

std::size_t Dump::read(std::span<std::byte> out) {
  for (;;) {
    if (!wait())
      throw Error{"restic has given nothing for " + std::to_string(patience_->count()) +
                  " s: " + restic_.repository().without_secrets(reason(held_->said()))};
    if (!begun_) fcntl(held_->out(), F_SETPIPE_SZ, plenty);
    const ssize_t n = ::read(held_->out(), out.data(), out.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read from restic", errno);
    if (n > 0) {
      begun_ = true;
      return static_cast<std::size_t>(n);
    }
    const auto finished = held_->finish();
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

}  // namespace restic
