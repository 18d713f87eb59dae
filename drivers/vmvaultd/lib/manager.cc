// SPDX-License-Identifier: Apache-2.0
// What runs, what there is, and what is due.
#include "drivers/vmvaultd/lib/manager.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/error.h"
#include "drivers/lib/provider.h"
#include "drivers/lib/settle.h"

namespace vmvaultd {
Manager::Manager(state::Store& store, const state::Home& home, Settings settings, Ways ways,
                 Time now)
    : store_{store},
      restores_{store},
      home_{home},
      settings_{std::move(settings)},
      ways_{std::move(ways)},
      pools_{store},
      core_{pools_.load(settings_.policy), now},
      hosts_{pools_.hosts()},
      rules_{store, usual()},
      now_{now} {
  for (const auto& vm : core_.state().vms) {
    known_[vm.id] = vm;
    if (vm.held_until > 0) core_.hold(vm.id, 0, "");  // by one that is gone
    want_tidy(vm.id);
  }
  for (const auto& image : store_.images())  // also of machines that are gone
    if (image.half_deleted() || image.state == state::ImageState::locked) want_tidy(image.vm);
  put_datastores();
  for (const int job : state::begun_jobs(home_)) jobs_.insert(job);
  notice_others(now);
  adopt(now);
  save();
}

void Manager::log(char severity, About about, const std::string& text) const {
  if (ways_.log) ways_.log(severity, about, text);
}

void Manager::tell(const Event& event) const {
  if (ways_.tell) ways_.tell(event);
}

std::optional<FileLock> Manager::lock(int vm) const {
  const auto machine = store_.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  home_.prepare_vm(vm, machine->uuid);
  return FileLock::try_lock(home_.vm_dir(machine->uuid) / "cli.lock");
}

void Manager::advance(Time now) {
  now_ = now;
  // The clock may have been set back.
  if (try_again_ < last_time) try_again_ = std::min(try_again_, now + lock_again);
  notice_others(now);
  if (now >= try_again_) {
    try_again_ = last_time;
    if (!adopted_)
      for (const int vm : adopt(now)) catch_up(vm, now);
    begin_tasks(now);
  }
  if (std::exchange(restores_wanted_, false)) begin_restores(now);
  if (std::exchange(files_wanted_, false)) make_files();
  monitor(now);
  const auto decisions = core_.advance(now);
  save();
  for (const auto& notice : decisions.notices) {
    log('W', notice.vm, notice.text);
    if (notice.kind == Notice::Kind::rpo_missed)
      tell({.what = "MISSED", .vm = notice.vm, .text = notice.text});
  }
  for (const auto& one : decisions.starts) start(one, now);
  save();
  end_jobs();
}

void Manager::end_jobs() {
  std::erase_if(jobs_, [&](int job) {
    const auto states = core_.job_states(job);
    const bool goes_on = std::any_of(states.begin(), states.end(), [](auto state) {
      return state == JobState::outdated || state == JobState::backing_up;
    });
    if (!goes_on) ways_.end_job(job);
    return !goes_on;
  });
}

std::optional<Time> Manager::next() const {
  auto first = std::min({core_.next().value_or(last_time), try_again_, others_at_});
  for (const auto& [id, time] : monitor_at_) {
    const auto found = awaited_.find(id);
    first = std::min(first, found == awaited_.end() ? time : found->second);
  }
  return first >= last_time ? std::nullopt : std::optional{first};
}

// Backups that the driver has, or had: they are ours again, or over.
std::vector<int> Manager::adopt(Time now) {
  adopted_ = true;
  std::vector<int> ours;
  for (const auto& attempt : store_.unfinished())
    if (attempt.service && !works_.contains(attempt.vm) && adopt_one(attempt, now))
      ours.push_back(attempt.vm);
  settle_requests(now);
  return ours;
}

bool Manager::adopt_one(const state::Attempt& attempt, Time now) {
  auto locked = lock(attempt.vm);
  if (!locked) {  // the command is at it
    adopted_ = false;
    try_again_ = now + lock_again;
    return false;
  }
  const auto others = store_.unfinished(attempt.vm);
  if (std::none_of(others.begin(), others.end(),
                   [&](const auto& one) { return one.id == attempt.id; }))
    return false;  // it has settled it meanwhile
  log('I', attempt.vm, "the backup that was begun before is looked after again");
  works_.emplace(attempt.vm, Work{.lock = *std::move(locked),
                                  .phase = Work::Phase::backing_up,
                                  .attempt = attempt.id,
                                  .cancelled = attempt.cancelled});
  return true;
}

// Requests that run, but nothing does: somebody has settled them, or they have not begun.
void Manager::settle_requests(Time now) {
  for (const auto& request : core_.state().requests) {
    if (request.started < 0 || works_.contains(request.vm)) continue;
    if (!adopted_ && !store_.unfinished(request.vm).empty()) continue;
    const auto last = store_.last_attempt(request.vm);
    if (last && last->service && last->started >= request.started && last->error.empty())
      core_.finished(request.vm, Outcome::good, "", now, last->ended);
    else if (last && last->started >= request.started && last->cancelled)
      core_.finished(request.vm, Outcome::cancelled, last->error, now);
    else
      core_.put_back(request.vm, now, "", now);
  }
}

void Manager::start(const Start& start, Time now) {
  auto locked = lock(start.vm);
  if (!locked)
    return core_.put_back(start.vm, now + lock_again, "is worked on by the command vmvault", now);
  works_.emplace(start.vm, Work{.lock = std::move(locked), .datastore = start.datastore});
  if (start.job >= 0) jobs_.insert(start.job);
  log('I', start.vm, "a backup into datastore " + std::to_string(start.datastore) + " begins");
  ways_.prepare(start.vm, start.datastore, start.reset);
}

Vm Manager::configured(Vm vm) const {
  const auto set = rules_.of(vm.id);
  vm.rpo = set.rpo;
  vm.datastore = set.rpo > 0 ? set.datastore : -1;
  vm.priority = set.priority;
  return vm;
}

void Manager::put(const Vm& vm, Time now) {
  auto changed = vm;
  const bool held = is_held(vm.id);
  const auto missing = missing_.find(vm.id);
  const bool is_missing = missing != missing_.end() && !missing->second.empty();
  changed.last_backup = std::min(vm.last_backup, now);
  changed.held_until = held || is_missing ? now + day : 0;
  changed.held = held         ? "is worked on"
                 : is_missing ? "is looked for on host " + host_name(missing->second.begin()->first)
                              : "";
  core_.put(changed);
  const auto work = works_.find(vm.id);
  if (work == works_.end() || work->second.phase != Work::Phase::others) return;
  for (const auto& attempt : store_.unfinished(vm.id))
    core_.runs(vm.id, attempt.datastore, attempt.started, now);
}

void Manager::settings_changed(Time now) {
  rules_ = RuleBook{store_, usual()};
  put_datastores();
  for (auto& [id, known] : known_) {
    const auto vm = configured(known);
    if (!(vm == known)) put(known = vm, now);
    want_tidy(id);
  }
  save();
}

}  // namespace vmvaultd
