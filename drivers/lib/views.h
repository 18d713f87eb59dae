// SPDX-License-Identifier: Apache-2.0
// What there is, as people look at it: objects with what belongs to them, a page at a time.
#pragma once

#include <climits>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/store.h"
#include "drivers/lib/users.h"

namespace state {

// Which of them, by id.
struct Page {
  std::optional<int> owner{};  // those of this user
  int least = 0, most = INT_MAX;
  int offset = 0, count = -1;   // -1: all
  std::optional<bool> there{};  // machines: those that are on a host, or those that are gone
};

struct ImageView {
  ImageRecord image;  // without the results of its increments
  std::string datastore{}, vm{};
};

struct VmView {
  VmRecord vm;
  int host = -1;  // -1: it is on none
  std::string host_name{};
  bool host_up = true;
  int job = -1;
  std::vector<int> images;           // its backups
  int last_increment = -1;           // of the active one
  std::optional<Attempt> running{};  // its backup
  bool restoring = false;            // in its place
  std::string error{};               // of the last such restore
  struct Disk {
    int id;
    std::string target, source;
  };
  std::vector<Disk> disks{};             // of a single one only
  std::optional<Attempt> last_failed{};  // as those: its last backup, where that has failed
};

struct HostView {
  int id = -1;
  std::string name{}, uri{}, emulator_cpus{};
  bool up = true;
  std::string status = "ENABLED";  // or DISABLED, OFFLINE
  std::optional<int> max_backups{};
  std::vector<int> vms{};
};

struct JobView {
  int id = -1, owner = 0;
  std::string name{}, job_template{};
  int datastore = -1, priority = 50;
  std::string execution{};
  bool reset = false;
  std::int64_t last_time = -1, last_duration = -1;
  std::vector<int> vms{};                            // in their order
  std::map<std::string, std::vector<int>> states{};  // OUTDATED, BACKING_UP, UPDATED, ERROR
};

// A scheduled action, as the state file has it (contract 5.8).
struct ActionView {
  int id = -1;
  std::string subject;  // VM, BACKUPJOB
  int parent = -1;
  std::int64_t time = 0;
  int repeat = -1;
  std::string days;
  int end_type = 0;
  std::int64_t end_value = 0, anchor = 0, done = -1;
  int datastore = -1;
  bool reset = false;
  std::string message;
};

// Each throws as the store does, and reads one moment of the file.
class Views {
 public:
  explicit Views(Store& store) : store_{store} {}

  std::vector<ImageView> images(const Page& page) const;
  std::vector<VmView> vms(const Page& page) const;
  std::vector<HostView> hosts(const Page& page) const;
  std::vector<JobView> jobs(const Page& page) const;
  std::vector<ActionView> actions(const std::string& subject, int parent) const;
  // Images of both kinds: backups, and disks that were made of them.
  std::vector<int> image_ids(const Page& page) const;
  std::vector<int> images_in(int datastore) const;

 private:
  Store& store_;
};

inline Page only(int id) { return {.owner = std::nullopt, .least = id, .most = id}; }

}  // namespace state
