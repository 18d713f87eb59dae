// SPDX-License-Identifier: Apache-2.0
// What the scheduler knows, as plain values: all of it is durable, and nothing else decides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "drivers/vmvaultd/lib/schedule.h"
#include "drivers/vmvaultd/lib/window.h"

namespace vmvaultd {

// How many backups may run at a time; 0: as many as like (contract 5.9).
struct Limits {
  int all = 5;        // MAX_BACKUPS
  int host = 2;       // MAX_BACKUPS_HOST
  int datastore = 0;  // MAX_BACKUPS_DATASTORE
};

struct Retry {
  int most = 3;             // after the first attempt
  Time first = 5 * minute;  // before the first; twice as long before each following one
  Time longest = 6 * hour;
};

struct Policy {
  Limits limits{};
  Retry retry{};
  Time point = 10 * minute;  // what a point of PRIORITY is worth, in time waited
  Time patience = day;       // who has waited so long is served in turn, whatever its priority
};

struct Host {
  int id = -1;
  bool up = true;
  std::optional<int> limit{};  // instead of Limits::host
  // Nothing begins there unless it is enabled; offline: nobody asks it for its machines either.
  enum class Status : std::uint8_t { enabled, disabled, offline } status = Status::enabled;
  bool operator==(const Host&) const = default;
};

struct Datastore {
  int id = -1;
  bool usable = true;
  std::optional<int> limit{};  // instead of Limits::datastore
  std::optional<Window> window{};
  bool operator==(const Datastore&) const = default;
};

enum class JobState : std::uint8_t { none, outdated, backing_up, updated, error };

struct Vm {
  int id = -1;
  int host = -1;  // -1: it has never been deployed
  int job = -1;   // that backs it up; kept by the scheduler
  JobState job_state = JobState::none;

  Time rpo = 0;           // the oldest that its newest backup may be; 0: that does not matter
  Time rpo_since = 0;     // from when on, where it has no backup yet
  int datastore = -1;     // where RPO alone makes it backed up; -1: only what else asks for it does
  int priority = 50;      // of what RPO or its own schedules ask for
  Time last_backup = -1;  // when the newest good one began
  Time expected = 0;      // how long a backup takes: an average
  enum class Rpo : std::uint8_t { kept, near, missed } rpo_state = Rpo::kept;

  Time held_until = 0;  // no backup may begin before: it is being flattened, restored...
  std::string held{};   // by what
  bool operator==(const Vm&) const = default;
};

struct Job {
  int id = -1;
  std::vector<int> vms{};  // in the order in which they are to be backed up
  int datastore = -1;
  int priority = 50;  // 0 to 99
  enum class Execution { sequential, parallel } execution = Execution::sequential;
  bool reset = false;
  std::optional<Window> window{};
  Time last_time = -1;      // LAST_BACKUP_TIME
  Time last_duration = -1;  // LAST_BACKUP_DURATION
  bool operator==(const Job&) const = default;
};

enum class Origin : std::uint8_t { manual, scheduled, job, rpo };

// A backup that is wanted, or runs.  A machine has one at most per datastore.
struct Request {
  int vm = -1;
  int datastore = -1;
  Origin origin = Origin::manual;
  bool reset = false;
  int priority = 50;
  int job = -1;
  int place = 0;    // in the job's list
  int action = -1;  // that asked for it
  Time since = 0;
  int failures = 0;
  Time not_before = 0;       // after a failure
  std::string error{};       // the last one
  Time started = -1;         // -1: it waits
  int host = -1;             // on which it runs
  std::uint64_t serial = 0;  // its place among all that were ever made; the scheduler gives it
  bool operator==(const Request&) const = default;
};

struct State {
  Policy policy{};
  std::vector<Host> hosts{};
  std::vector<Datastore> datastores{};
  std::vector<Vm> vms{};
  std::vector<Job> jobs{};
  std::vector<Action> actions{};
  std::vector<Request> requests{};  // in the order in which they were made
};

// What has become of some of that: as it is now, and the ids of what is no more.
struct Changes {
  std::vector<Vm> vms{};
  std::vector<Job> jobs{};
  std::vector<Action> actions{};
  std::vector<int> gone_vms{}, gone_jobs{}, gone_actions{};
  // Of each of these VMs, all that it has now; what others have is as it was.
  std::vector<std::pair<int, std::vector<Request>>> requests{};

  bool empty() const {
    return vms.empty() && jobs.empty() && actions.empty() && gone_vms.empty() &&
           gone_jobs.empty() && gone_actions.empty() && requests.empty();
  }
};

}  // namespace vmvaultd
