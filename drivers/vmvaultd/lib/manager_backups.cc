// SPDX-License-Identifier: Apache-2.0
// A backup, from its preparation to its image.
#include "common/error.h"
#include "drivers/lib/settle.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

void Manager::prepared(int vm, std::int64_t attempt, const std::string& payload) {
  const auto found = works_.find(vm);
  if (found == works_.end()) return;
  auto& work = found->second;
  if (work.phase == Work::Phase::abandoned) {
    store_.fail(attempt, "cancelled");
    return release(vm, 0);
  }
  if (work.phase != Work::Phase::preparing) return;
  work.phase = Work::Phase::backing_up;
  work.attempt = attempt;
  work.payload = payload;
  // Before the driver has it: one that is started again asks.
  state::note_waiting(home_, vm, true);
  if (ways_.ask_vmm("BACKUP", vm, work.payload)) work.payload.clear();
}

void Manager::not_prepared(int vm, const std::string& error, Time now) {
  const auto found = works_.find(vm);
  if (found == works_.end()) return;
  const bool abandoned = found->second.phase == Work::Phase::abandoned;
  if (!abandoned && found->second.phase != Work::Phase::preparing) return;
  for (const auto& attempt : store_.unfinished(vm))
    if (attempt.service) found->second.attempt = attempt.id;  // it came that far
  if (abandoned) {
    if (found->second.attempt >= 0) store_.fail(found->second.attempt, "cancelled");
    return release(vm, now);
  }
  failed(vm, found->second.attempt, error, now);
}

void Manager::vmm_ready(Time now) {
  std::vector<int> not_there;
  for (auto& [vm, work] : works_) {
    if (work.phase != Work::Phase::backing_up) continue;
    if (!work.payload.empty()) {
      if (ways_.ask_vmm("BACKUP", vm, work.payload)) work.payload.clear();
    } else if (!state::driver_knows(home_, vm)) {
      not_there.push_back(vm);
    } else if (work.cancelled) {
      ask_cancel(vm);
    }
  }
  for (const int vm : not_there) not_begun(vm, now);
}

// A backup that was adopted late: its answer may have come when nobody waited for it, and what a
// driver that is ready is told, nobody has told it.
void Manager::catch_up(int vm, Time now) {
  if (const auto answer = state::driver_answer(home_, vm)) return vmm_answer(*answer, now);
  if (!state::driver_knows(home_, vm)) return not_begun(vm, now);
  if (works_.at(vm).cancelled) ask_cancel(vm);
}

// The driver, or the machine, was gone before it had anything: nothing has been done.
void Manager::not_begun(int vm, Time now) {
  const auto& work = works_.at(vm);
  if (work.cancelled) return end(vm, work.attempt, Outcome::cancelled, "cancelled", now);
  log('W', vm, "the driver has lost the backup before it began: it begins anew");
  store_.together([&] {
    store_.fail(works_.at(vm).attempt, "interrupted before it began");
    core_.put_back(vm, now, "", now);
    save();
  });
  release(vm, now);
}

void Manager::vmm_answer(const Answer& answer, Time now) {
  if (answer.verb == "BACKUPCANCEL" && !answer.good)
    log('W', static_cast<int>(answer.id), "the driver cannot cancel the backup: " + answer.info);
  if (answer.verb != "BACKUP") return;
  const int vm = static_cast<int>(answer.id);
  const auto found = works_.find(vm);
  if (found == works_.end() || found->second.phase != Work::Phase::backing_up)
    return log('W', vm, "an answer of the driver that nobody waits for: " + answer.info);
  if (!answer.good) return failed(vm, found->second.attempt, answer.info, now);
  for (const auto& attempt : store_.unfinished(vm))
    if (attempt.id == found->second.attempt) return good(vm, attempt, answer.info, now);
  failed(vm, -1, "its attempt is gone from the state file", now);
}

void Manager::good(int vm, const state::Attempt& attempt, const std::string& info, Time now) {
  const auto reply = state::parse_reply(info + "\n");
  if (!reply) return failed(vm, attempt.id, "no snapshot id in the answer of the driver", now);
  const bool orphan = !attempt.image && attempt.increment > 0;
  if (orphan || store_.recorded(vm, reply->source))
    return failed(vm, attempt.id,
                  orphan ? state::deleted_meanwhile(reply->source)
                         : "snapshot " + reply->source + " is another backup's already",
                  now);
  const auto ended = state::driver_ended(home_, vm);
  state::Stored stored;
  store_.together([&] {
    stored = state::record(store_, home_, attempt, *reply, ended);
    core_.finished(vm, Outcome::good, "", now, ended);
    save();
  });
  log('I', vm,
      "is backed up: image " + std::to_string(stored.image) + ", increment " +
          std::to_string(stored.record.id));
  tell({.what = "SUCCESS",
        .vm = vm,
        .image = stored.image,
        .increment = stored.record.id,
        .text = "VM " + std::to_string(vm) + " is backed up"});
  want_tidy(vm);
  release(vm, now);
}

void Manager::failed(int vm, std::int64_t attempt, const std::string& error, Time now) {
  const bool cancelled = works_.at(vm).cancelled;
  end(vm, attempt, cancelled ? Outcome::cancelled : Outcome::failed, one_line(error), now);
}

void Manager::end(int vm, std::int64_t attempt, Outcome outcome, const std::string& error,
                  Time now) {
  store_.together([&] {
    if (attempt >= 0)
      store_.fail(attempt, error);
    else if (outcome == Outcome::failed && works_.at(vm).phase == Work::Phase::preparing)
      store_.refuse({.vm = vm,
                     .image = {},
                     .datastore = works_.at(vm).datastore,
                     .dir = {},
                     .started = now,
                     .ended = {},
                     .error = {},
                     .service = true},
                    error);
    core_.finished(vm, outcome, error, now);
    save();
  });
  if (outcome == Outcome::cancelled)
    log('I', vm, "the backup was cancelled");
  else
    log('E', vm, "the backup failed: " + error);
  tell({.what = outcome == Outcome::cancelled ? "CANCELLED" : "FAILURE", .vm = vm, .text = error});
  release(vm, now);
}

}  // namespace vmvaultd
