// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/backup.h"

#include <chrono>
#include <sstream>

#include "common/cancel.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/running.h"
#include "vmm/lib/state.h"
#include "vmm/lib/step.h"
#include "vmm/lib/takeover.h"

using std::chrono::hours;
using std::chrono::minutes;

namespace vmm {
namespace {

std::string transfer_action(const Job& job, const std::string& action) {
  return job.live ? action + "_live" : action;
}

// A backup whose last step still has to hear how it ended: FAILURE, unless commit() was called.
class Undo {
 public:
  Undo(State& state, const Step& post, std::string failure)
      : state_{state}, post_{post}, failure_{std::move(failure)} {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    if (!armed_) return;
    try {
      state_.enter("undo", post_.deadline);
      post_.input = failure_;
      run_step(post_);
    } catch (const std::exception& e) {
      log(Level::error, "undo: " + std::string{e.what()});  // the first error is the one to tell
    }
  }
  void commit() { armed_ = false; }

 private:
  State& state_;
  Step post_;
  std::string failure_;
  bool armed_ = true;
};

// "<id> <MiB> <format>", the format being raw where the driver does not say (contract 1.5).
std::string checked_reply(const Job& job, const std::string& text) {
  std::istringstream stream{text};
  std::string id, size, format, more;
  stream >> id >> size >> format >> more;
  if (!parse_number(size) || size.starts_with('-') || !more.empty())
    throw Error{"the datastore driver '" + job.ds_mad + "' did not say what it stored"};
  return id + " " + size + " " + (format.empty() ? "raw" : format);
}

}  // namespace

std::string run_backup(const Job& job, const XmlNode& message) {
  // All of them are looked for before anything is touched: a missing one needs no undo.
  Step pre{.driver = transfer_driver(job.tm_mad, transfer_action(job, "prebackup")),
           .args = job.words,
           .input = vm_document(message, Result::success),
           .deadline = step_deadline("PREBACKUP", hours{24})};
  Step store{.driver = datastore_driver(job.ds_mad, "backup"),
             .args = job.words,
             .input = datastore_document(message),
             .deadline = step_deadline("BACKUP", hours{48})};
  Step post{.driver = transfer_driver(job.tm_mad, transfer_action(job, "postbackup")),
            .args = job.words,
            .input = pre.input,
            .deadline = step_deadline("POSTBACKUP", minutes{30}),
            .shield = Shield::undo};
  const std::string failure = vm_document(message, Result::failure);

  const Running running{job.vm_id, "orchestrator"};
  take_over(job.vm_id, failure, post.deadline);
  cancel::check();
  State state{job};
  Undo undo{state, post, failure};

  state.enter("prebackup", pre.deadline);
  run_step(pre);
  state.enter("backup", store.deadline);
  const std::string reply = checked_reply(job, run_step(store));
  undo.commit();

  state.enter("postbackup", post.deadline);
  try {
    run_step(post);
  } catch (const Error& e) {
    // The data is in the repository, and a failure would make the core forget it there.  What
    // was left on the host is removed by the next prebackup, which begins by cleaning up.
    log(Level::error,
        "the backup is stored, but tidying up after it failed: " + std::string{e.what()});
  }
  return reply;
}

void cancel_backup(const Job& job, const XmlNode& message) {
  const Step step{.driver = datastore_driver(job.ds_mad, "backup_cancel"),
                  .args = job.words,
                  .input = vm_document(message, Result::success),
                  .deadline = step_deadline("BACKUP_CANCEL", minutes{5})};
  if (stop_workers(job.vm_id, {"orchestrator"}) > 0)
    log(Level::info, "asked the backup of VM " + std::to_string(job.vm_id) + " to stop");
  run_step(step);
}

}  // namespace vmm
