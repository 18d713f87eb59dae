// SPDX-License-Identifier: Apache-2.0
// Decides which backup begins when.  It does nothing else: no clock, no file, no process.
//
// The caller tells what there is, what is wanted and what has ended, and calls advance() with the
// time whenever it has told something, and at next().  What advance() returns it carries out.  All
// that counts is in state(): a scheduler made from that decides as this one would have.
//
// Promises, after each advance():
// * No limit is exceeded by a backup that began, whoever asked for it.  A limit that is lowered
// ends
//   no running backup.
// * Whatever waits has a reason, and waits() says it: its host, its datastore, its window...
// Nothing
//   waits only because something before it does, with one exception: the last place of a host is
//   kept for an urgent one that waits for a place of its datastore.  (Where both are always taken
//   by turns, it would have to wait for both to become free in the same moment.)
// * First come those whose RPO is near and those who have lost patience, each by the time until
// which
//   it should have begun; then the others by their time of waiting, where a point of PRIORITY is
//   worth Policy::point.  So nobody starves: what comes later than patience + its own wait is
//   behind it.
// * A job's machines are taken in its order; one that cannot start does not hold up the next.  Jobs
// of
//   the same priority take turns.
//
// Manual backups of a machine heed the limits, but no window, and are not repeated when they fail.
// A job that is executed by hand is what its schedule makes of it.
//
// A failed backup is repeated (Retry); then it is given up until its schedule, its job or somebody
// asks again.  An RPO that asks by itself (Vm::datastore) asks again after Retry::longest.
//
// An RPO is near for its last quarter, or for twice the time that a backup takes, but for no more
// than its last half: however long a backup took, the next one is not begun at once.  It is said to
// be near only of a machine whose backup cannot begin then.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "drivers/vmvaultd/lib/model.h"
#include "drivers/vmvaultd/lib/ready_queue.h"
#include "drivers/vmvaultd/lib/table.h"

namespace vmvaultd {

struct Start {
  int vm = -1, host = -1, datastore = -1, job = -1;
  bool reset = false;
  Origin origin = Origin::manual;
  Time since = 0;  // when it was asked for
};

struct Notice {
  enum class Kind { rpo_near, rpo_missed, given_up } kind = Kind::rpo_near;
  int vm = -1;
  std::string text;
};

struct Decisions {
  std::vector<Start> starts;
  std::vector<Notice> notices;
};

enum class Outcome { good, failed, cancelled };

enum class Cause {
  none,  // it may start
  retry,
  not_deployed,
  host_unknown,
  host_disabled,
  host_down,
  vm_backup,
  vm_held,
  job_busy,
  datastore_unknown,
  datastore_unusable,
  datastore_window,
  job_window,
  host_limit,
  host_kept,
  datastore_limit,
  limit,
};

struct Wait {
  Request request;
  Cause cause = Cause::none;
  std::string text;  // one sentence
};

class Scheduler {
 public:
  // What ran still runs.  What lies in the future and cannot (the clock was set back) is now.
  Scheduler(State state, Time now);

  State state() const;
  // What is not any more as it was when this was asked before, or in the state that it was made
  // from.  Hosts and datastores change by put() and remove() only, and the policy by set().
  Changes changes();

  Decisions advance(Time now);
  // The next instant at which advance() will have something to do if nothing is told until then.
  std::optional<Time> next() const;

  // What there is.  Of a VM or job that is known, what the scheduler keeps about it stays: its job,
  // states, averages and times.  BadRequest for what cannot be (two jobs for one VM...); nothing
  // has changed then.
  void set(const Policy& policy);
  void put(const Host& host);
  void put(const Datastore& datastore);
  void put(const Vm& vm);
  void put(const Job& job);
  void put(const Action& action);
  // The newest good backup of a VM that is left began then: what was newer counts no more.
  void lose_backups(int vm, Time newest);
  // What waits for a host or datastore that is gone waits on; a VM's or job's requests go with it,
  // but those that run count until they end.
  void remove_host(int id);
  void remove_datastore(int id);
  void remove_vm(int id);
  void remove_job(int id);
  void remove_action(int id);

  // No backup of this VM may begin for a while: at most a day, unless said again.  0: it may.
  void hold(int vm, Time until, const std::string& what);

  // What people want.  BadRequest, with the reason, where it cannot be.
  void backup(int vm, int datastore, bool reset, int priority, Time now);
  void execute(int job, Time now);
  void retry(int job, Time now);
  // What waited does no longer.  Returns the VMs whose backups run and are to be cancelled.
  std::vector<int> cancel(int job);
  bool cancel_vm(int vm);

  // Somebody else has begun a backup of this VM: it occupies its places until it has ended. Nothing
  // happens when one runs already.
  void runs(int vm, int datastore, Time started, Time now);
  // The backup of this VM could not begin yet, and that is no failure: it waits again, and the VM
  // is held.
  void put_back(int vm, Time until, const std::string& what, Time now);
  // The backup of this VM has ended; `ended`: when, where that may be long ago (nobody was there to
  // hear of it).  Of one that does not run: nothing happens.
  void finished(int vm, Outcome outcome, const std::string& error, Time now,
                std::optional<Time> ended = {});

  // -1: none.
  int job_of(int vm) const;
  bool has_job(int id) const { return jobs_.has(id); }
  std::vector<JobState> job_states(int job) const;  // of its machines
  std::vector<Wait> waits() const;
  std::vector<Wait> waits(int vm) const;
  // "host 3, which is disabled" or "..., which is offline"; empty: it is neither, or there is none.
  std::string disabled(int host) const;
  std::size_t running() const { return static_cast<std::size_t>(running_); }

 private:
  struct HostEntry {
    Host host;
    bool known = false;
    int running = 0;
    int kept_for = -1;  // the VM that its last place is kept for
  };
  struct Shelf {
    int number = -1;
    bool manual = false;
    int job_at = -1;  // whose window counts
  };
  struct DatastoreEntry {
    Datastore datastore;
    bool known = false, window_open = true;
    Time window_change = 0;
    int running = 0;
    std::vector<Shelf> shelves;
  };
  struct VmEntry {
    Vm vm;
    bool gone = false;
    int running = -1;   // the request
    int requests = -1;  // the first; the others follow it
    Time ask_at = 0;    // when RPO may ask again
  };
  struct JobEntry {
    Job job;
    bool window_open = true;
    Time window_change = 0;
    int running = 0;
    std::vector<int> parked;  // requests that wait for the one that runs
  };
  struct Entry {
    Request request;
    std::uint64_t serial = 0;  // 0: free
    int vm_at = -1, datastore_at = -1, next = -1;
    bool parked = false;
  };
  struct Touched {  // ids of what may have changed
    std::unordered_set<int> vms, jobs, actions;
  };
  struct Patience {
    Time time;
    int at;
    std::uint64_t serial;
  };

  Entry& entry(int at) { return requests_[static_cast<std::size_t>(at)]; }
  const Entry& entry(int at) const { return requests_[static_cast<std::size_t>(at)]; }

  void begin_again(Time before);  // the clock was set back: what time it was
  void note_differences(const State& given);

  // Making and dropping requests.
  int add(const Request& request, int vm_at);
  void want(Request request, int vm_at);
  void drop(int at);
  void drop_waiting(int vm_at, int job);
  void drop_rpo(int vm_at);
  void join_job(int job_at, Time now);
  bool asks(const JobEntry& job, JobState state) const;
  bool left_job(const Entry& entry) const;

  // Where a request belongs now: the queue, the timers, or with what it waits for.
  void settle(int at);
  void settle_vm(int vm_at);
  Key key(const Entry& entry) const;
  int host_place(int id);
  int datastore_place(int id);
  int shelf(const Entry& entry);

  // Doors of the queue.
  void open_host(int at);
  void open_datastore(int at);
  void open_all();
  bool shelf_open(const DatastoreEntry& datastore, const Shelf& shelf) const;
  int limit_of(const HostEntry& host) const;
  int limit_of(const DatastoreEntry& datastore) const;
  void turn_windows();

  // What time brings.
  void fire(int action_at);
  void watch_rpo(int vm_at);
  void set_rpo_timer(int vm_at);
  void lose_patience();
  void start(int at, Decisions& decisions);
  void occupy(int at, Time started);
  bool urgent(const Entry& entry) const;
  bool blocked(const Entry& entry) const;
  int keep_for(int at);
  void open_kept();
  bool sequential_busy(const Request& request) const;
  Time deadline(const Vm& vm) const;
  Time near(const Vm& vm) const;
  Time delay(const Request& request) const;

  // What an end brings.
  void leave(int at);
  void succeed(int at, Time ended);
  void fail(int at, Outcome outcome, const std::string& error);
  void notify(Notice::Kind kind, int vm_at, const std::string& text);

  std::pair<Cause, std::string> why(const Entry& entry) const;

  Policy policy_;
  Time now_ = 0;
  int running_ = 0;
  std::uint64_t last_serial_ = 0;
  Table<HostEntry> hosts_;
  Table<DatastoreEntry> datastores_;
  Table<VmEntry> vms_;
  Table<JobEntry> jobs_;
  Table<Action> actions_;
  std::vector<Entry> requests_;
  std::vector<int> free_requests_;
  int last_shelf_ = -1;
  Time windows_turn_ = 0;  // the first of all; 0: it is not known
  ReadyQueue queue_;
  std::vector<int> kept_;                 // hosts
  Timers<Time> wake_, due_, rpo_, held_;  // requests, actions, VMs, VMs
  std::vector<Patience> patience_;        // ascending from patience_from_ on
  std::size_t patience_from_ = 0;
  std::vector<Notice> notices_;
  Touched touched_;
};

}  // namespace vmvaultd
