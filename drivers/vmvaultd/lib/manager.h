// SPDX-License-Identifier: Apache-2.0
// The image manager: what becomes of backups and images, between the scheduler, the state file and
// the drivers (contract chapter 5).
//
// It has no loop, no process and no clock.  Its owner tells what happened and when, and gives it
// ways to the world; no function waits.  What it decides is in the state file before anybody hears
// of it, so that one that is made from the same file goes on: running backups are adopted, and what
// an image waits for is asked for again.  An Error of a function means that the state file cannot
// be written: then only a new one is right.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/file.h"
#include "drivers/lib/driver_line.h"
#include "drivers/lib/home.h"
#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/retention.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

using mad::Answer;

struct Ways {
  // Finds out what the backup needs and writes its attempt down; Manager::prepared() follows.
  std::function<void(int vm, int datastore, bool reset)> prepare{};
  // To a driver.  False: it is not ready, and ..._ready() follows.
  std::function<bool(const std::string& verb, std::int64_t id, const std::string& payload)>
      ask_vmm{};
  std::function<bool(const std::string& verb, std::int64_t id, const std::string& payload)>
      ask_datastore{};
  std::function<void(char severity, int vm, const std::string& text)> log{};  // vm -1: of none
};

struct Machine {
  std::string uuid, name;
};

class Manager {
 public:
  struct Settings {
    Policy policy{};
    Keep keep{};
    Time rpo = 0;        // of every machine; 0: none is backed up by itself
    int datastore = -1;  // where to
  };

  Manager(state::Store& store, const state::Home& home, Settings settings, Ways ways, Time now);

  // Begins what is due.
  void advance(Time now);
  // When to call advance() at the latest, if nothing is told until then.
  std::optional<Time> next() const;

  // All machines of this host as they are now; nullopt: it does not say.
  void machines(int host, const std::optional<std::vector<Machine>>& found, Time now);
  // The attempt, and the payload of its request; or what was in the way.
  void prepared(int vm, std::int64_t attempt, const std::string& payload);
  void not_prepared(int vm, const std::string& error, Time now);

  // The driver was started, and has what it takes over by itself.
  void vmm_ready(Time now);
  void datastore_ready(Time now);
  void vmm_answer(const Answer& answer, Time now);
  void datastore_answer(const Answer& answer, Time now);

  const Scheduler& scheduler() const { return core_; }
  std::size_t busy() const { return works_.size(); }  // machines

 private:
  static constexpr Time lock_again = minute;
  struct Task {
    int image = -1;
    int keep = 0;  // 0: it is deleted
  };
  // What is done with a machine, under its lock.
  struct Work {
    FileLock lock;
    enum class Phase { preparing, backing_up, deleting, flattening } phase = Phase::preparing;
    std::int64_t attempt = -1;
    Task task{};
    std::string payload{};  // as long as it is not sent
  };

  void save() { pools_.save(core_.changes()); }
  void log(char severity, int vm, const std::string& text) const;
  std::optional<FileLock> lock(int vm) const;

  std::vector<int> ids_of(const std::vector<Machine>& machines);

  // Backups.
  void adopt(Time now);
  void adopt_one(const state::Attempt& attempt, Time now);
  void settle_requests(Time now);
  void start(const Start& start, Time now);
  void good(int vm, const state::Attempt& attempt, const std::string& info, Time now);
  void failed(int vm, std::int64_t attempt, const std::string& error, Time now);
  void not_begun(int vm, Time now);

  // Images.
  void want_tidy(int vm);
  void begin_tasks(Time now);
  bool begin_task(int vm, const Task& task, Time now);
  void ask(const Work& work);
  void deleted(int vm, const Answer& answer, Time now);
  void flattened(int vm, const Answer& answer, Time now);
  void release(int vm, Time now);
  bool is_held(int vm) const;

  state::Store& store_;
  const state::Home& home_;
  Settings settings_;
  Ways ways_;
  Pools pools_;
  Scheduler core_;
  std::map<int, Work> works_;              // by VM
  std::map<int, std::deque<Task>> tasks_;  // by VM: what is to be done with its images
  std::map<int, Vm> known_;                // the machines, as the scheduler was told last
  Time try_again_ = 0;                     // to lock what others have locked
  bool adopted_ = false;
};

}  // namespace vmvaultd
