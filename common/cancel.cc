// SPDX-License-Identifier: Apache-2.0
#include "common/cancel.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <atomic>
#include <cerrno>
#include <iterator>

#include "common/error.h"
#include "common/handle.h"

namespace cancel {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Clock::rep never = 0;
std::atomic<Clock::rep> seen = never;
std::atomic<int> held_open = -1;
Fd signals;
sigset_t original;  // empty until install(): children then get an empty mask

bool ready(int fd, short events) {
  pollfd one{fd, events, 0};
  return fd != -1 && ::poll(&one, 1, 0) == 1 && one.revents != 0;
}

}  // namespace

void install() {
  sigset_t stop;
  sigemptyset(&stop);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&stop, signal);
  sigprocmask(SIG_BLOCK, &stop, &original);
  // A child may leave without reading all of its input.  That must be an EPIPE
  // for the writer to see, not a signal that kills us.
  std::signal(SIGPIPE, SIG_IGN);
  // The signal is never read from the descriptor, so it stays readable for every waiter.
  signals.reset(signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) throw system_error("watch for signals", errno);
}

void watch(int fd) { held_open = fd; }

const sigset_t& original_mask() { return original; }

int fd() { return signals.get(); }

int watched() { return held_open; }

bool requested() {
  // A pipe says POLLHUP, a socket POLLRDHUP.  Bytes that still lie there are no request.
  if (seen == never && (ready(fd(), POLLIN) || ready(watched(), POLLRDHUP))) {
    Clock::rep first = never;  // another thread may be faster
    seen.compare_exchange_strong(first, Clock::now().time_since_epoch().count());
  }
  return seen != never;
}

std::chrono::milliseconds age() {
  if (!requested()) return {};
  const Clock::time_point then{Clock::duration{seen.load()}};
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then);
}

void check() {
  if (requested()) throw Cancelled{};
}

void pause(std::chrono::milliseconds length) {
  pollfd fds[] = {{fd(), POLLIN, 0}, {watched(), POLLRDHUP, 0}};
  ::poll(fds, std::size(fds), static_cast<int>(length.count()));
  check();
}

}  // namespace cancel
