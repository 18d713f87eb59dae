// SPDX-License-Identifier: Apache-2.0
// A program that a driver runs while it goes on listening to the core.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/child.h"

namespace mad {

using Clock = std::chrono::steady_clock;

struct Order {
  std::vector<std::string> argv;
  std::string input{};
};

struct Outcome {
  int status = 0;  // exit status, or 128 + the signal that ended it
  std::string out{};
  bool late = false;  // it had to be stopped
};

class Work {
 public:
  using Line = std::function<void(std::string_view)>;

  // Starts it.  `said` gets each line of its stderr, without the newline; of a program that talks
  // without end only the first 4 MiB, and then a line that says so.  Throws Error.
  Work(Order order, Line said);

  void watch(std::vector<pollfd>& fds) const;                        // what poll() should wait for
  std::optional<Clock::time_point> alarm() const { return alarm_; }  // and until when, at most
  // Does what can be done without waiting.  The outcome, once, when the program has ended.
  std::optional<Outcome> advance();

  // Stops it at that time.
  void limit(Clock::time_point when) { alarm_ = when; }
  void ask(int signal) noexcept { child_->ask(signal); }  // its process group
  // Asks its process group to end, and kills what is left a minute later.
  void stop();
  // It may outlive us: from now on it is none of ours.
  void let_go() noexcept;

 private:
  Work(Order&& order, Line&& said, Pipe&& in, Pipe&& out, Pipe&& err);
  void feed();
  void drain(Fd& fd, std::string& text);
  void pass_lines(bool all);
  void pass(std::string_view line);

  Order order_;
  Line said_;
  std::size_t fed_ = 0;
  std::unique_ptr<Child> child_;
  Fd in_, out_, err_;
  std::string err_text_;
  std::size_t passed_ = 0;  // bytes of it
  Outcome outcome_;
  std::optional<Clock::time_point> alarm_;
  bool asked_ = false;
};

}  // namespace mad
