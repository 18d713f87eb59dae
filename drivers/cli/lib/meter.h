// SPDX-License-Identifier: Apache-2.0
// How far a step is: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/one/progress.h"

namespace cli {

// Turns reports into text.  Knows no terminal and no clock: both come as arguments.
class Meter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // "capture  [#####-----]  50 %  2.0 GiB of 4.0 GiB  350.0 MiB/s  6 s left", cut to `width`
  // columns.
  std::string bar(const ProgressReport& report, Time now, std::size_t width);
  // The same without the bar, at the begin of a step, at its end, and every 10 s; else nothing.
  std::optional<std::string> line(const ProgressReport& report, Time now);

 private:
  struct Sample {
    Time time;
    std::uint64_t done;
  };
  void take(const ProgressReport& report, Time now);
  std::string words(const ProgressReport& report) const;

  std::string step_;
  std::deque<Sample> samples_;  // of the last 10 s of this step
  std::optional<Time> printed_;
  bool complete_ = false;
};

// Shows on stderr what the file says, for as long as the object lives; on a terminal also that a
// cancellation was heard.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::filesystem::path file);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();

  // Takes the bar away, so that a line can be printed.
  void clear();

 private:
  void watch(const std::stop_token& stop);
  void show();

  std::filesystem::path file_;
  bool terminal_;
  bool drawn_ = false;
  Meter meter_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace cli
