// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/takeover.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/running.h"
#include "vmm/lib/discard.h"
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

void undo(const Job& job, const std::string& failure, std::chrono::seconds deadline) try {
  run_step({.driver = transfer_driver(job.tm_mad, job.live ? "postbackup_live" : "postbackup"),
            .args = job.words,
            .input = failure,
            .deadline = deadline,
            .shield = Shield::undo});
} catch (const Error& e) {
  log(Level::warn, "undo of an earlier backup: " + std::string{e.what()});
}

// The answer was on its way when the orchestrator died.  Whether it came is known where the newest
// backup is named, and else only of an increment: the core then counts it (contract 1.5).
std::optional<bool> was_heard(const Leftover& left, const Job& job) {
  const Job& then = left.job;
  if (job.last_source)
    return *job.last_source == left.upload.reply.substr(0, left.upload.reply.find(' '));
  if (then.last_increment_id < 0 || then.chain_id != job.chain_id ||
      job.last_increment_id < then.last_increment_id)
    return std::nullopt;
  return job.last_increment_id > then.last_increment_id;
}

void judge_answer(const Leftover& left, const Job& job, const XmlNode& message) {
  const auto heard = was_heard(left, job);
  if (!heard || (!*heard && left.outdated))
    log(Level::warn, "the backup '" + left.upload.reply + "' of VM " + std::to_string(job.vm_id) +
                         " in datastore " + std::to_string(left.job.datastore_id) +
                         " may not be on record: nobody knows whether its answer was heard");
  else if (!*heard)
    discard(left.upload, left.job, job, message);
}

}  // namespace

void take_over(const Job& job, const XmlNode& message, const std::string& failure,
               std::chrono::seconds deadline) {
  const auto left = read_leftover(job.vm_id);
  if (!left) return;
  if (left->answered) return judge_answer(*left, job, message);
  log(Level::warn, "the backup of VM " + std::to_string(job.vm_id) + " begun at " + left->started +
                       " ended without a result, in its " + left->phase + ": undoing it");
  end_steps(job.vm_id, deadline);
  undo(left->job, failure, deadline);
  if (!left->outdated)
    discard(left->upload, left->job, job, message);
  else if (!left->upload.run.empty())
    log(Level::warn, "what it stored, if anything, stays in datastore " +
                         std::to_string(left->job.datastore_id) + " (run " + left->upload.run +
                         "): the note of it is a copy, or older than "
                         "the last boot, and it may be a good backup of a newer state");
}

}  // namespace vmm
