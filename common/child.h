// SPDX-License-Identifier: Apache-2.0
// A child process that must not outlive its owner.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "common/handle.h"

struct Pipe {
  Fd read, write;
  Pipe();  // both ends close on exec
};

// How a child is asked to end before its group is killed.
struct Stop {
  enum class Whom { group, child };  // the child alone: it needs its own children to undo
  enum class Then { kill, leave };   // leave: it ends by deadlines of its own

  int signal = SIGTERM;
  std::chrono::milliseconds grace{10'000};
  Whom whom = Whom::group;
  Then then = Then::kill;
};

// A child we have not waited for yet, leader of its own process group.  If we leave
// early, the group gets the stop signal (unless Stop says otherwise), and what is left of it
// SIGKILL when the child has ended or the grace is over: so ssh and its helpers go together.
class Child {
 public:
  // Starts argv[0], looked up in PATH; the three descriptors become its stdin, stdout and
  // stderr.  `env` holds NAME=value pairs that replace ours.  Throws Error when it cannot.
  Child(const std::vector<std::string>& argv, const std::vector<std::string>& env, int in, int out,
        int err, Stop stop = {});
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  int fd() const { return exit_.get(); }  // readable when the child has exited
  // A signal for those that Stop names, also if they are stopped.
  void ask(int signal) noexcept;
  // Asks them to end, kills what is left of the group (unless Stop says otherwise), and collects
  // the child.  One that still does not end is left behind.
  void stop() noexcept;
  void change(Stop::Then then) { stop_.then = then; }
  // It has had its grace: stop() gives it no other one.
  void spend_grace() { stop_.grace = std::chrono::milliseconds{0}; }
  // Collects the child: its exit status, or 128 + the signal that ended it.
  int wait();

 private:
  bool ends_within(std::chrono::milliseconds limit) const noexcept;

  pid_t pid_ = -1;
  pid_t owner_ = -1;  // who may wait for it: not a fork of him
  Fd exit_;
  Stop stop_;
};
