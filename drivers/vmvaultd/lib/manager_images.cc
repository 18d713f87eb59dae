// SPDX-License-Identifier: Apache-2.0
// What the rules of retention, and those who were interrupted, leave to be done with images.
#include <algorithm>
#include <utility>

#include "common/base64.h"
#include "common/error.h"
#include "common/one/flat_result.h"
#include "drivers/lib/flatten_reply.h"
#include "drivers/lib/merge_sums.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/settle.h"
#include "drivers/vmvaultd/lib/manager.h"
#include "drivers/vmvaultd/lib/tidy.h"

namespace vmvaultd {

// First what was begun: an image is not half deleted, or half merged, for long.  Machines that are
// gone keep what they have, whatever the rules.
std::deque<Manager::Task> Manager::tasks_for(int vm, Time now) {
  std::deque<Task> tasks;
  const auto machine = store_.vm(vm);
  if (!machine) return tasks;
  const auto images = store_.images_of(vm);
  for (const auto& record : images) {
    if (record.half_deleted()) tasks.push_back({.image = record.id});
    if (record.state == state::ImageState::locked)
      tasks.push_back({.image = record.id, .keep = record.keep.value_or(1)});
  }
  if (!knows(vm)) return tasks;
  for (const auto& plan : plans_of(store_, rules_, *machine, images, now)) {
    for (const int image : plan.deletes) tasks.push_back({.image = image});
    for (const auto& flatten : plan.flattens)
      tasks.push_back({.image = flatten.image, .keep = flatten.keep_last});
  }
  return tasks;
}

void Manager::want_tidy(int vm) {
  auto tasks = tasks_for(vm, now_);
  if (tasks.empty()) {
    tasks_.erase(vm);
  } else {
    tasks_[vm] = std::move(tasks);
    try_again_ = 0;
  }
}

void Manager::begin_tasks(Time now) {
  std::vector<int> vms;
  for (const auto& [vm, tasks] : tasks_)
    if (!works_.contains(vm)) vms.push_back(vm);
  for (const int vm : vms) {
    auto& tasks = tasks_.at(vm);
    std::deque<Task> late;
    while (!tasks.empty() && !works_.contains(vm)) {
      auto task = tasks.front();
      const auto begun = begin_task(vm, task, now);
      if (begun == Begin::is_locked) break;
      tasks.pop_front();
      if (begun != Begin::is_late) continue;
      try_again_ = std::min(try_again_, now + lock_again);
      late.push_back(task);
    }
    tasks.insert(tasks.end(), late.begin(), late.end());
    if (tasks.empty()) tasks_.erase(vm);
  }
}

// nullopt: somebody reads it, or that cannot be told; the log says so once, and its other images
// need not wait.
std::optional<state::Reading> Manager::nobodys_reading(int vm, Task& task) const {
  const auto put_off = [&](char severity, const std::string& why) {
    if (std::exchange(task.why_late, why) != why)
      log(severity, vm,
          why + ": image " + std::to_string(task.image) + " is " +
              (task.keep == 0 ? "deleted" : "merged") + " later");
  };
  try {
    auto nobodys = state::Reading::nobodys(home_, task.image);
    if (!nobodys) put_off('I', state::is_being_read(task.image));
    return nobodys;
  } catch (const Error& error) {
    put_off('W', error.what());
    return std::nullopt;
  }
}

// Locked: somebody else has the machine.  What he has done with it counts: there may be more points
// than when the task was thought of, or fewer good ones, or the image is needed.
Manager::Begin Manager::begin_task(int vm, Task& thought_of, Time now) {
  auto locked = lock(vm);
  if (!locked) {
    try_again_ = std::min(try_again_, now + lock_again);
    return Begin::is_locked;
  }
  const auto wanted = tasks_for(vm, now);
  const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Task& one) {
    return one.image == thought_of.image && (one.keep == 0) == (thought_of.keep == 0);
  });
  const auto image = store_.image(thought_of.image);
  if (same == wanted.end() || !image) return Begin::done;
  const auto nobodys = nobodys_reading(vm, thought_of);  // until it is on record
  if (!nobodys) return Begin::is_late;
  const auto task = *same;
  const bool deletes = task.keep == 0;
  store_.together([&] {
    if (deletes)
      store_.mark_deleting(task.image);
    else
      store_.mark_flattening(task.image, task.keep);
    core_.hold(vm, now + day, deletes ? "is rid of an old backup" : "has backups merged");
    save();
  });
  const auto what = std::string{deletes ? "is deleted" : "is merged"};
  log('I', vm, "image " + std::to_string(task.image) + " " + what);
  const auto [at, is_new] =
      works_.emplace(vm, Work{.lock = *std::move(locked),
                              .phase = deletes ? Work::Phase::deleting : Work::Phase::flattening,
                              .task = task});
  try {
    const auto document = messages::image(*store_.image(task.image));
    const auto datastore = home_.datastore(image->datastore);
    const state::MergeSums sums{home_, task.image};
    if (!deletes) sums.give(store_);
    const auto request =
        deletes ? messages::datastore_action(document, datastore)
                : messages::flatten_action(document, datastore, task.keep, sums.directory());
    at->second.payload = base64_encode(request.dump());
  } catch (const Error& error) {
    const Answer answer{.verb = {}, .good = false, .id = task.image, .info = error.what()};
    if (deletes)
      deleted(vm, answer, now);
    else
      flattened(vm, answer, now);
    return Begin::done;
  }
  ask(at->second);
  return Begin::done;
}

void Manager::ask(const Work& work) {
  ways_.ask_datastore(work.phase == Work::Phase::deleting ? "RM" : "INCREMENT_FLATTEN",
                      work.task.image, work.payload);
}

// What it was asked for before may be done already, or go on: both can be asked for again.
void Manager::datastore_ready(Time) {
  awaited_.clear();
  for (auto& [id, time] : monitor_at_) time = 0;
  for (const auto& [vm, work] : works_)
    if (work.task.image >= 0) ask(work);
}

void Manager::datastore_answer(const Answer& answer, Time now) {
  if (answer.verb == "MONITOR") {
    const int id = static_cast<int>(answer.id);
    // One that is slow is not asked again as soon as it has answered.
    if (awaited_.erase(id) != 0)
      monitor_at_[id] = std::max(monitor_at_[id], now + std::min(settings_.monitoring, minute));
    return monitored(id, answer, now);
  }
  for (const auto& [vm, work] : works_) {
    if (work.task.image != answer.id) continue;
    if (answer.verb == "RM" && work.phase == Work::Phase::deleting) return deleted(vm, answer, now);
    if (answer.verb == "INCREMENT_FLATTEN" && work.phase == Work::Phase::flattening)
      return flattened(vm, answer, now);
  }
}

void Manager::deleted(int vm, const Answer& answer, Time now) {
  const int image = works_.at(vm).task.image;
  const auto name = "image " + std::to_string(image);
  const auto record = store_.image(image);
  const auto why = one_line(answer.info);
  if (answer.good && record) monitor_at_[record->datastore] = 0;
  if (answer.good || (record && record->is_forced)) {
    store_.remove_image(image);
    state::MergeSums{home_, image}.forget();
    log(answer.good ? 'I' : 'W', vm,
        name + " is gone" +
            (answer.good ? "" : " by force, its datastore may still have it: " + why));
  } else {
    store_.fail_delete(image, why);
    log('E', vm, name + " could not be deleted: " + why);
  }
  release(vm, now);
}

void Manager::flattened(int vm, const Answer& answer, Time now) {
  const auto task = works_.at(vm).task;
  const auto name = "image " + std::to_string(task.image);
  try {
    if (!answer.good) throw Error{answer.info};
    if (answer.info == "-") throw Error{"the datastore says that there is nothing to merge"};
    const auto image = store_.image(task.image);
    if (!image) throw Error{"it is not there any more"};
    const auto reply = state::parse_flatten_reply(answer.info, *image, task.keep);
    const auto& first = reply.chain.increments().front();
    auto merged = *image->increment(first.id);
    merged.source = first.source;
    merged.size_mib = reply.size_mib;
    std::map<int, std::uint64_t> sizes;
    for (const int disk : image->disks) sizes[disk] = 0;
    merged.result = flat_result(merged.result, sizes);
    merged.bytes = static_cast<std::uint64_t>(reply.size_mib) << 20;
    const state::MergeSums sums{home_, task.image};
    store_.flatten(task.image, merged, sums.take(merged));
    sums.forget();
    log('I', vm, name + " is merged up to increment " + std::to_string(merged.id));
  } catch (const Error& error) {
    store_.fail_flatten(task.image, one_line(error.what()));
    log('E', vm, name + " could not be merged: " + one_line(error.what()));
  }
  release(vm, now);
}

bool Manager::is_held(int vm) const {
  const auto found = works_.find(vm);
  return found != works_.end() && (found->second.phase == Work::Phase::deleting ||
                                   found->second.phase == Work::Phase::flattening ||
                                   found->second.phase == Work::Phase::restoring ||
                                   found->second.phase == Work::Phase::abandoned);
}

void Manager::release(int vm, Time now) {
  const bool held = is_held(vm);
  const bool backup = works_.at(vm).phase == Work::Phase::backing_up;
  works_.erase(vm);
  if (backup) state::note_waiting(home_, vm, false);
  if (held) core_.hold(vm, 0, "");
  save();
  restores_wanted_ = true;  // one may have waited for this
  if (tasks_.contains(vm)) try_again_ = std::min(try_again_, now);
}

}  // namespace vmvaultd
