// SPDX-License-Identifier: Apache-2.0
// A driver as its core has it: a child that is talked to by lines (contract 2.1 to 2.3), watched,
// and started again when it is gone.
//
// It lives in the loop of its owner, in one thread: watch(), poll() until alarm() at most,
// advance().
//
// What was sent and not answered when a driver ends is nobody's business but the owner's: each time
// `ready` is called, the driver is another one, and has what it takes over by itself (ADR 17) and
// what is sent to it then.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/child.h"
#include "drivers/lib/driver_line.h"
#include "drivers/lib/mad_message.h"

namespace vmvaultd {

using mad::Answer;
using mad::LogLine;

class Driver {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = std::chrono::milliseconds;

  struct Settings {
    std::string name;  // for what is said of it
    std::vector<std::string> argv;
    std::vector<std::string> env{};  // NAME=value, beside ours
    Duration patience{10'000};       // for its answer to INIT
    // The pause before it is started again: twice as long each time, and as in the beginning after
    // it has worked for the longest.
    Duration first_pause{1'000}, longest_pause{60'000};
  };

  // None of them may destroy the driver.  What is not set is not called.
  struct Events {
    std::function<void()> ready{};
    std::function<void(const Answer&)> answer{};
    std::function<void(const LogLine&)> log{};
    std::function<void(const std::string& why)> lost{};  // one sentence
  };

  Driver(Settings settings, Events events);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver();

  void start();  // at the next advance()
  bool ready() const { return phase_ == Phase::ready; }
  int losses() const { return losses_; }  // how often it has ended, or failed to begin
  // A request; `payload` is one word.  False, and nothing has happened, when it is not ready.
  bool send(const std::string& verb, std::int64_t id, const std::string& payload);

  void watch(std::vector<pollfd>& fds) const;
  std::optional<Clock::time_point> alarm() const;  // when to call advance() at the latest
  void advance();                                  // never waits

  // Tells it that its core is gone, and waits that long for its end: what it runs may outlive it.
  void stop(Duration grace = Duration{10'000});

 private:
  enum class Phase { stopped, resting, starting, ready, dying };

  void begin();
  void feed();
  void drain();
  void take(const std::string& line);
  void lose(const std::string& why);
  void bury();

  Settings settings_;
  Events events_;
  Phase phase_ = Phase::stopped;
  std::unique_ptr<Child> child_;
  Fd in_, out_;
  std::string to_send_;
  std::size_t received_ = 0;  // since the last whole line
  mad::LineReader lines_;
  std::optional<Clock::time_point> alarm_;
  Clock::time_point ready_since_{};
  Duration pause_;
  int losses_ = 0;
};

}  // namespace vmvaultd
