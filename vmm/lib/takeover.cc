// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/takeover.h"

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/running.h"
#include "vmm/lib/state.h"
#include "vmm/lib/step.h"

using Clock = std::chrono::steady_clock;

namespace vmm {
namespace {

const std::vector<std::string> stoppable{"prebackup", "backup"};

std::vector<Worker> left_behind(int vm_id) {
  auto left = workers(vm_id);
  std::erase_if(left, [](const Worker& worker) { return worker.phase == "orchestrator"; });
  return left;
}

bool is_stoppable(const Worker& worker) {
  return std::find(stoppable.begin(), stoppable.end(), worker.phase) != stoppable.end();
}

// The steps of our own drivers say that they run.  Those of others have been asked to end by the
// kernel (see run_step()), and nobody can tell whether they did.
void end_steps(int vm_id, std::chrono::seconds deadline) {
  stop_workers(vm_id, stoppable);
  const auto kill_at = Clock::now() + std::chrono::seconds{60};
  const auto give_up_at = Clock::now() + std::max(deadline, std::chrono::seconds{70});
  for (auto left = left_behind(vm_id); !left.empty(); left = left_behind(vm_id)) {
    for (const auto& worker : left) {
      if (is_stoppable(worker) && Clock::now() >= kill_at) kill(worker.pid, SIGKILL);
      if (Clock::now() >= give_up_at)
        throw Error{"process " + std::to_string(worker.pid) + " of an earlier backup of VM " +
                    std::to_string(vm_id) + " is still in its " + worker.phase};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    cancel::check();
  }
}

}  // namespace

void take_over(int vm_id, const std::string& failure, std::chrono::seconds deadline) {
  const auto left = read_leftover(vm_id);
  if (!left) return;
  log(Level::warn, "the backup of VM " + std::to_string(vm_id) + " begun at " + left->started +
                       " ended without a result, in its " + left->phase + ": undoing it");
  end_steps(vm_id, deadline);
  try {
    run_step(
        {.driver = transfer_driver(left->tm_mad, left->live ? "postbackup_live" : "postbackup"),
         .args = left->words,
         .input = failure,
         .deadline = deadline,
         .shield = Shield::undo});
  } catch (const Error& e) {
    log(Level::warn, "undo of an earlier backup: " + std::string{e.what()});
  }
}

}  // namespace vmm
