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
#include <set>
#include <string>
#include <vector>

#include "common/file.h"
#include "drivers/lib/driver_line.h"
#include "drivers/lib/home.h"
#include "drivers/lib/reading.h"
#include "drivers/lib/restores.h"
#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/log.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/retention.h"
#include "drivers/vmvaultd/lib/rules.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

using mad::Answer;

// Of interest to people, who may have a program called with it.
struct Event {
  std::string what;  // SUCCESS, FAILURE or CANCELLED of a backup, MISSED of an RPO
  int vm = -1;
  int image = -1, increment = -1;  // of a success
  std::string text{};              // one sentence
};

struct Ways {
  // Finds out what the backup needs and writes its attempt down; Manager::prepared() follows.
  std::function<void(int vm, int datastore, bool reset)> prepare{};
  // To a driver.  False: it is not ready, and ..._ready() follows.
  std::function<bool(const std::string& verb, std::int64_t id, const std::string& payload)>
      ask_vmm{};
  std::function<bool(const std::string& verb, std::int64_t id, const std::string& payload)>
      ask_datastore{};
  // Makes the files of a disk image ("disk") or of a template; Manager::fetched() follows.
  std::function<void(const std::string& what, int id)> fetch{};
  std::function<void(const Event&)> tell{};
  // The last backup of this execution of the job is over.
  std::function<void(int job)> end_job{};
  // Restores a machine in place; Manager::restored() follows.
  std::function<void(int vm)> restore{};
  std::function<void(char severity, About about, const std::string& text)> log{};
};

struct Machine {
  std::string uuid, name;
  bool active = false;  // it runs
};

class Manager {
 public:
  struct Settings {
    Policy policy{};
    Keep keep{};
    Time rpo = 0;                    // of every machine; 0: none is backed up by itself
    int datastore = -1;              // where to
    std::optional<Window> window{};  // of every datastore that has none of its own
    Time monitoring = 300;           // how often datastores are asked for their space

    Rules usual() const { return {.rpo = rpo, .datastore = datastore, .keep = keep}; }
  };

  Manager(state::Store& store, const state::Home& home, Settings settings, Ways ways, Time now);

  // Begins what is due.
  void advance(Time now);
  // When to call advance() at the latest, if nothing is told until then.
  std::optional<Time> next() const;

  // --- what is ordered (orders.h); BadRequest as there ---
  void backup(int vm, int datastore, bool reset, int priority, Time now);
  // What waits and what runs of it; false: there was neither.
  bool cancel(int vm, Time now);
  void cancel_job(int job, Time now);
  // Changes what the scheduler has, durably.
  void change(const std::function<void(Scheduler&)>& how);
  // The settings of machines, datastores or images have changed.
  void settings_changed(Time now);
  void images_changed(int vm) { want_tidy(vm); }
  // The next backup of this machine begins a new chain; where there is one to leave, the log says
  // why.
  void begin_anew(int vm, const std::string& why);
  // Disk images and templates that are to be made, or to go; machines that are to be restored.
  void want_files() { files_wanted_ = true; }
  void begin_restores(Time now);
  // `out`: what was printed; nullptr: it has failed.
  void fetched(const std::string& what, int id, const std::string* out, const std::string& error);
  void restored(int vm, bool good, const std::string& error, Time now);
  // Is a backup of this machine made, by whomever?
  bool backs_up(int vm) const;
  // The machine's lock: nobody else works on it.  nullopt: somebody does; but not the manager, when
  // is_free().
  std::optional<FileLock> lock(int vm) const;
  bool knows(int vm) const { return known_.contains(vm); }
  bool is_free(int vm) const { return !works_.contains(vm); }
  Rules usual() const { return settings_.usual(); }

  // Of the host that the machine was seen on last; -1: none.
  int host_of(int vm) const;
  // Has a backup or a restore begun there, and not ended?
  bool is_used(int host) const;
  const std::vector<HostRecord>& hosts() const { return hosts_; }
  std::string uri_of(int host) const;  // of its libvirt; empty: there is no such host
  // Changed, or, with an id below 0, new: its id.
  int put_host(const HostRecord& host);
  // What runs there goes on.
  void set_host_status(int host, Host::Status status);
  // Its machines are others', or gone.
  void remove_host(int host, Time now);

  // All machines of this host as they are now; nullopt: it does not say.  Of several hosts that
  // have one, it is on the one where it runs.  Of a host that is offline, nothing is heard.
  void machines(int host, const std::optional<std::vector<Machine>>& found, Time now);
  // The attempt, and the payload of its request; or what was in the way.
  void prepared(int vm, std::int64_t attempt, const std::string& payload);
  void not_prepared(int vm, const std::string& error, Time now);

  // The driver was started, and has what it takes over by itself.
  void vmm_ready(Time now);
  void datastore_ready(Time now);
  void datastore_lost() { awaited_.clear(); }  // the driver: it answers nothing any more
  void vmm_answer(const Answer& answer, Time now);
  void datastore_answer(const Answer& answer, Time now);

  const Scheduler& scheduler() const { return core_; }
  std::size_t busy() const { return works_.size(); }  // machines

 private:
  static constexpr Time lock_again = minute, others_again = 2;
  struct Task {
    int image = -1;
    int keep = 0;            // 0: it is deleted
    std::string why_late{};  // it was put off, which is told once
  };
  // What is done with a machine, under its lock.
  struct Work {
    std::optional<FileLock> lock;  // none: another has it
    // restoring: who restores has the lock; abandoned: cancelled, and its preparation has still to
    // end; others: the command backs it up
    enum class Phase {
      preparing,
      abandoned,
      backing_up,
      others,
      deleting,
      flattening,
      restoring
    } phase = Phase::preparing;
    std::int64_t attempt = -1;
    bool cancelled = false;
    Task task{};
    int datastore = -1;     // preparing: of the backup
    std::string payload{};  // as long as it is not sent
  };

  void save() { pools_.save(core_.changes()); }
  void log(char severity, About about, const std::string& text) const;
  void tell(const Event& event) const;

  void note_up(int host, bool up);
  void move(Vm& known, int host, Time now);
  bool moves_here(const Vm& known, int host, bool active) const;
  bool find_elsewhere(int vm, int host, Time now);
  // That host has it.
  void find(int id, int host, bool active, Time last_backup, Time now);
  std::vector<int> lost_by(int host, const std::map<int, bool>* before) const;
  void look_for(const std::vector<int>& lost, int host, Time now);
  void is_not_on(int host, const std::map<int, bool>& there, bool goes, Time now);
  void forget(int vm);
  void read_settings(Time now);
  const HostRecord* find_host(int host) const;
  std::string host_name(int host) const;
  std::vector<int> ids_of(const std::vector<Machine>& machines);

  Vm configured(Vm vm) const;
  void put_datastores();
  Time patience() const;
  void monitor(Time now);
  void make_files();
  int origin_of(const std::string& what, int id) const;
  void end_jobs();
  void monitored(int datastore, const Answer& answer, Time now);
  void put(const Vm& vm, Time now);

  // Backups.
  void notice_others(Time now);
  bool has_ended(int vm, const Work& work) const;
  void others_ended(int vm, Time now);
  bool cancel_work(int vm, Time now);
  void ask_cancel(int vm);
  std::vector<int> adopt(Time now);
  bool adopt_one(const state::Attempt& attempt, Time now);
  void catch_up(int vm, Time now);
  void settle_requests(Time now);
  void start(const Start& start, Time now);
  void good(int vm, const state::Attempt& attempt, const std::string& info, Time now);
  void failed(int vm, std::int64_t attempt, const std::string& error, Time now);
  void not_begun(int vm, Time now);
  void end(int vm, std::int64_t attempt, Outcome outcome, const std::string& error, Time now);

  // Images.
  std::deque<Task> tasks_for(int vm, Time now);
  void want_tidy(int vm);
  void begin_tasks(Time now);
  enum class Begin { done, is_locked, is_late };
  Begin begin_task(int vm, Task& task, Time now);
  std::optional<state::Reading> nobodys_reading(int vm, Task& task) const;
  void ask(const Work& work);
  void deleted(int vm, const Answer& answer, Time now);
  void flattened(int vm, const Answer& answer, Time now);
  void release(int vm, Time now);
  bool is_held(int vm) const;

  state::Store& store_;
  state::Restores restores_;
  const state::Home& home_;
  Settings settings_;
  Ways ways_;
  Pools pools_;
  Scheduler core_;
  std::vector<HostRecord> hosts_;          // as they are in the state file
  std::map<int, Work> works_;              // by VM
  std::map<int, std::deque<Task>> tasks_;  // by VM: what is to be done with its images
  struct Named {
    int id = -1;
    std::string name{};
  };
  std::map<std::string, Named> named_;       // all that were ever seen, by UUID
  std::map<int, Vm> known_;                  // the machines, as the scheduler was told last
  std::map<int, std::map<int, bool>> seen_;  // by host: its machines, and whether they run
  // By machine that no host has: on which ones it is looked for, and how often still.
  std::map<int, std::map<int, int>> missing_;
  RuleBook rules_;
  Time now_ = 0;  // when it was called last by its owner's loop
  Time settings_read_ = -1;
  std::map<int, Datastore> datastores_;  // as the scheduler was told last
  std::map<int, Time> monitor_at_;       // when to ask a datastore for its space
  std::map<int, Time> awaited_;          // those that were asked: until when, last_time: in vain
  Time try_again_ = 0;                   // to lock what others have locked
  Time others_at_ = last_time;           // to look whether backups of the command have ended
  bool adopted_ = false, files_wanted_ = true, restores_wanted_ = true;
  std::set<std::pair<std::string, int>> fetching_;
  std::map<std::pair<std::string, int>, int> killed_;  // how often, of those
  std::set<int> jobs_;                                 // whose execution has begun
};

}  // namespace vmvaultd
