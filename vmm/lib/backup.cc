// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/backup.h"

#include <chrono>
#include <sstream>

#include "common/cancel.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/running.h"
#include "common/random.h"
#include "vmm/lib/discard.h"
#include "vmm/lib/provider.h"
#include "vmm/lib/state.h"
#include "vmm/lib/step.h"
#include "vmm/lib/takeover.h"
#include "vmm/lib/undo.h"

using std::chrono::hours;
using std::chrono::minutes;

namespace vmm {
namespace {

std::chrono::seconds longest_undo() { return step_deadline("POSTBACKUP", minutes{30}); }

std::string transfer_action(const Job& job, const std::string& action) {
  return job.live ? action + "_live" : action;
}

// "<id> <MiB> <format>", the format being raw where the driver does not say (contract 1.5).
std::string checked_reply(const Job& job, const std::string& text) {
  std::istringstream stream{text};
  std::string id, size, format, more;
  stream >> id >> size >> format >> more;
  if (!parse_number(size) || size.starts_with('-') || !more.empty())
    throw Doubtful{"the datastore driver '" + job.ds_mad + "' did not say what it stored"};
  return id + " " + size + " " + (format.empty() ? "raw" : format);
}

// Runs the upload: what it says to have stored is a backup now, or it has been undone.
Upload upload(const Job& job, const XmlNode& message, Step step, State& state, Undo& undo) {
  Upload name{.run = random_hex(16), .reply = {}};
  step.env = {{"VMVAULT_RUN", name.run}};
  // Unless whoever called us wants to see it himself.
  if (!getenv("VMVAULT_PROGRESS")) step.env.emplace_back("VMVAULT_PROGRESS", state.progress());
  state.uploads(name.run);
  state.enter("backup", step.deadline);
  undo.also_beside_a_step();
  try {
    name.reply = checked_reply(job, run_step(step));
    // At once: a slow disk, to which the state goes, is no reason to undo what came in time.
    const bool in_time = undo.commit();
    state.stored(name.reply);
    if (in_time) return name;
    // It was cancelled, did not care for long, and is without its host's part now.
    discard(name, job, job, message);
    throw Cancelled{};
  } catch (const Doubtful&) {
    undo.now();
    discard(name, job, job, message);
    throw;
  }
}

}  // namespace

void run_backup(const Job& job, const XmlNode& message, const Answer& answer) {
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
            .deadline = longest_undo(),
            .shield = Shield::undo};
  const std::string failure = vm_document(message, Result::failure);

  const Running running{job.vm_id, "orchestrator"};
  take_over(job, message, failure, post.deadline);
  cancel::check();
  ProviderBackup provider{job, store.input};
  State state{job};
  Undo undo{state, post, failure};

  state.enter("prebackup", pre.deadline);
  run_step(pre);
  cancel::check();
  const auto stored = upload(job, message, std::move(store), state, undo);

  state.enter("postbackup", post.deadline);
  try {
    run_repeatable(post);
  } catch (const Error& e) {
    // The data is in the repository, and a failure would make the core forget it there.  What
    // was left on the host is removed by the next prebackup, which begins by cleaning up.
    log(Level::error,
        "the backup is stored, but tidying up after it failed: " + std::string{e.what()});
  }
  state.answers();
  try {
    answer(stored.reply);
  } catch (const Error&) {  // a full disk, or nobody listens: then it is no backup to anybody
    discard(stored, job, job, message);
    throw;
  }
  provider.succeed();
}

void recover(const Job& job, const XmlNode& message) {
  const Running running{job.vm_id, "orchestrator"};
  take_over(job, message, vm_document(message, Result::failure), longest_undo());
  forget_leftover(job.vm_id);
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
