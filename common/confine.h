// SPDX-License-Identifier: Apache-2.0
// Work that must not cost its machine more than was allowed, and must not end with its caller: in a
// group of its own, outside the caller's unit, session and cgroup.
//
// Where systemd is running, the group is a slice and each piece of work a scope in it.  Elsewhere
// it is a cgroup (version 2, and version 1 for controllers that version 2 has not got).  Where
// neither is allowed, only the priorities hold.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace confine {

struct Limits {
  std::optional<int> nice;         // added to the caller's
  std::optional<int> ionice;       // a level of the class "best effort"
  std::optional<int> cpu_percent;  // of one processor
  std::optional<int> memory_mb;
  std::optional<int> read_iops, write_iops;  // of one device

  bool any() const;
  bool operator==(const Limits&) const = default;
};

// The limits by the names that datastores give them (contract 3.1), without a prefix.
struct Field {
  const char* name;
  std::optional<int> Limits::*value;
  int least, most;
};
constexpr int most_of_all = 1 << 30;
inline constexpr Field fields[] = {{"NICE", &Limits::nice, -20, 19},
                                   {"IONICE", &Limits::ionice, 0, 7},
                                   {"CPU_QUOTA", &Limits::cpu_percent, 1, 1000000},
                                   {"MEMORY_MAX_MB", &Limits::memory_mb, 1, most_of_all},
                                   {"MAX_RIOPS", &Limits::read_iops, 1, most_of_all},
                                   {"MAX_WIOPS", &Limits::write_iops, 1, most_of_all}};

struct Order {
  std::string group;  // "backup.100": the limits hold for all that is in it, together
  Limits limits;
  std::filesystem::path directory;  // the limits of IOPS are for the device that holds it
  bool outlives = false;            // goes on when the session that began it has ended
};

struct Confined {
  // What is to be confined has to be run by these words (a program that becomes it, with the same
  // process id and descriptors).  Empty: this process is confined already, with what it starts.
  std::vector<std::string> prefix;
  bool apart = false;                // outside the caller's cgroup
  std::vector<std::string> missing;  // limits that are not enforced, by the names of `fields`
  std::string why;                   // why not, or why not apart
};

// Priorities are taken on at once.  Never throws for want of rights or programs: `missing` says it.
// To be called by a process with one thread.  Throws Cancelled.
Confined enter(const Order& order);

// Takes this process out of a cgroup that enter() put it in, and removes those that are empty.
void leave() noexcept;

// One line for the log; "" if there is nothing to complain of.
std::string complaint(const Confined& confined);

}  // namespace confine
