// SPDX-License-Identifier: Apache-2.0
// What people do to backups: they ask for some, cancel some, and make some without the service.
#include "common/base64.h"
#include "common/error.h"
#include "drivers/lib/host_uri.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/settle.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

void Manager::change(const std::function<void(Scheduler&)>& how) {
  how(core_);
  save();
}

void Manager::backup(int vm, int datastore, bool reset, int priority, Time now) {
  change([&](Scheduler& core) { core.backup(vm, datastore, reset, priority, now); });
}

bool Manager::cancel(int vm, Time now) {
  const bool waited = !core_.waits(vm).empty();
  core_.cancel_vm(vm);
  save();
  return cancel_work(vm, now) || waited;
}

void Manager::cancel_job(int job, Time now) {
  const auto running = core_.cancel(job);
  save();
  for (const int vm : running) cancel_work(vm, now);
}

// False: nothing of ours runs.
bool Manager::cancel_work(int vm, Time now) {
  const auto found = works_.find(vm);
  if (found == works_.end()) return false;
  auto& work = found->second;
  if (work.phase == Work::Phase::preparing) {
    work.phase = Work::Phase::abandoned;
    core_.hold(vm, now + day, "had a backup that was cancelled, and is about to end");
    core_.finished(vm, Outcome::cancelled, "cancelled", now);
    save();
    log('I', vm, "the backup is cancelled before it has begun");
    return true;
  }
  if (work.phase != Work::Phase::backing_up) return work.phase == Work::Phase::abandoned;
  store_.cancel(work.attempt);
  work.cancelled = true;
  log('I', vm, "the backup is cancelled");
  if (!work.payload.empty())
    end(vm, work.attempt, Outcome::cancelled, "cancelled", now);
  else
    ask_cancel(vm);
  return true;
}

// A driver that is not ready is asked when it is.
void Manager::ask_cancel(int vm) {
  const auto machine = store_.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  for (const auto& attempt : store_.unfinished(vm)) {
    if (attempt.id != works_.at(vm).attempt) continue;
    std::string payload;
    try {
      const auto host = guest::parse_host_uri(uri_of(host_of(vm))).host;
      const auto dir = home_.dir_on(host, machine->uuid, vm);
      const auto datastore = home_.datastore(attempt.datastore);
      payload =
          base64_encode(messages::cancel_action(vm, machine->uuid, host, dir, datastore).dump());
    } catch (const Error& error) {  // the datastore's file is gone: no reason to end
      log('E', vm, "its backup cannot be cancelled: " + one_line(error.what()));
      continue;
    }
    ways_.ask_vmm("BACKUPCANCEL", vm, payload);
  }
}

bool Manager::backs_up(int vm) const {
  const auto found = works_.find(vm);
  if (found == works_.end()) return false;
  const auto phase = found->second.phase;
  return phase == Work::Phase::preparing || phase == Work::Phase::backing_up ||
         phase == Work::Phase::others;
}

void Manager::begin_anew(int vm, const std::string& why) {
  const auto machine = store_.vm(vm);
  if (!machine || !machine->active_image) return;
  store_.forget_active(vm);
  log('I', vm, "its next backup begins a new chain: " + why);
}

// The command backs machines up as well, and those count (W24 says of what).
void Manager::notice_others(Time now) {
  std::vector<int> ended;
  for (const auto& [vm, work] : works_)
    if (work.phase == Work::Phase::others && has_ended(vm, work)) ended.push_back(vm);
  for (const int vm : ended) others_ended(vm, now);
  others_at_ = last_time;
  for (const auto& attempt : store_.unfinished()) {
    if (attempt.service || works_.contains(attempt.vm) || lock(attempt.vm)) continue;
    works_.emplace(attempt.vm,
                   Work{.lock = {}, .phase = Work::Phase::others, .attempt = attempt.id});
    core_.runs(attempt.vm, attempt.datastore, attempt.started, now);
    log('I', attempt.vm, "is backed up by the command vmvault");
  }
  for (const auto& [vm, work] : works_)
    if (work.phase == Work::Phase::others) others_at_ = now + others_again;
}

bool Manager::has_ended(int vm, const Work& work) const {
  for (const auto& attempt : store_.unfinished(vm))
    if (attempt.id == work.attempt) return lock(vm).has_value();
  return true;
}

// Well, or not, or it was killed: then it is put right here.
void Manager::others_ended(int vm, Time now) {
  if (const auto locked = lock(vm)) state::settle(store_, home_, vm);
  const auto last = store_.last_attempt(vm);
  const bool good = last && last->id == works_.at(vm).attempt && last->error.empty();
  const auto why = last && !good ? last->error : "it is not known what became of it";
  core_.finished(vm, good ? Outcome::good : Outcome::failed, good ? "" : why, now,
                 last ? last->ended : std::nullopt);
  works_.erase(vm);
  save();
  restores_wanted_ = true;  // one may have waited for this
}

}  // namespace vmvaultd
