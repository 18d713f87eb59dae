// SPDX-License-Identifier: Apache-2.0
// The tasks of a driver: so many of each kind at a time, the others in the order in which they
// came.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "drivers/lib/mad_work.h"

namespace mad {

struct Task {
  std::int64_t id = 0;
  // Tasks of one kind share their places, and take none of those of others.
  int kind = 0;
  // The program that comes next, or none if the task is over.  `last` is what became of the one
  // before; null at the beginning, and when the program could not be started: then `error` says
  // why.
  std::function<std::optional<Order>(const Outcome* last, std::string_view error)> next;
  Work::Line said{};  // gets the lines of the stderr of all its programs
};

class Pool {
 public:
  // `limit`: a program that takes longer is stopped.
  explicit Pool(std::size_t most, std::optional<std::chrono::seconds> limit = {})
      : most_{most}, limit_{limit} {}

  void add(Task task) { waiting_.push_back(std::move(task)); }
  // The tasks of this id are over: what runs of them is stopped, and their next() is not called any
  // more.
  void cancel(std::int64_t id);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  void watch(std::vector<pollfd>& fds) const;
  int timeout() const;  // for poll(): milliseconds, or -1
  void advance();       // never waits
  // What runs may outlive us.
  void let_go() noexcept;

 private:
  struct Running {
    Task task;
    std::optional<Work> work{};
    bool cancelled = false;
  };
  // Starts the next program; false if there is none.
  bool go_on(Running& running, const Outcome* last);
  bool has_place(const Task& task) const;

  std::size_t most_;
  std::optional<std::chrono::seconds> limit_;
  std::deque<Task> waiting_;
  std::list<Running> running_;
};

}  // namespace mad
