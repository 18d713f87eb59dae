// SPDX-License-Identifier: Apache-2.0
// The last step of a backup that has not come to a good end.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "common/child.h"
#include "vmm/lib/state.h"
#include "vmm/lib/step.h"

namespace vmm {

// A backup whose last step still has to hear how it ended: FAILURE, unless commit() was called.
class Undo {
 public:
  // `post` is that step, `failure` what it gets on stdin.
  Undo(State& state, const Step& post, std::string failure);
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() { now(); }

  // From now on a cancellation undoes also while the step that it ends goes on: a program that
  // waits in a read of the backup directory ends when that is gone, and no sooner.
  void also_beside_a_step();
  // Once.  What goes wrong is logged: the first error is the one to tell.
  void now() noexcept;
  // It is a backup.  false: it was undone already.
  bool commit();

 private:
  void watch();
  void run() noexcept;

  State& state_;
  Step post_;
  std::string failure_;
  std::atomic<bool> armed_ = true;
  Pipe over_;
  std::thread beside_;
};

}  // namespace vmm
