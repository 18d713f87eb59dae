// SPDX-License-Identifier: Apache-2.0
// Waiting for one of some descriptors, for a cancellation, or for too long.
#pragma once

#include <poll.h>

#include <chrono>
#include <span>
#include <string>

namespace rsync {

struct Terms {
  std::chrono::milliseconds silence{std::chrono::minutes{10}};  // zero: for ever
  bool shielded = false;  // a cancellation does not count: for steps that undo
};

class Patience {
 public:
  // `whom`, for messages: "'backup1'".
  Patience(std::string whom, Terms terms) : whom_{std::move(whom)}, terms_{terms} {}

  // Something has come, or gone, just now; or one begins to wait for something new.
  void moved() { last_ = Clock::now(); }

  // Until one of them is ready, as their revents say, or `at_most` is over: then false.
  // Error when nothing has moved for as long as the terms allow; Cancelled.
  bool wait(std::span<pollfd> fds, std::chrono::milliseconds at_most = forever);

  static constexpr std::chrono::milliseconds forever{-1};

 private:
  using Clock = std::chrono::steady_clock;

  std::string whom_;
  Terms terms_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace rsync
