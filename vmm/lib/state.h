// SPDX-License-Identifier: Apache-2.0
// What an orchestrator does for a VM, in a file that outlives it: <var dir>/vmm/<vm id>.json.
//
// It serves two readers: people and services that want to know how far a backup is and whether
// somebody still works on it ("updated" moves every 30 s), and the next backup of the VM, which
// finds here what a killed one left undone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vmm/lib/discard.h"
#include "vmm/lib/job.h"

namespace vmm {

// What the file says of a backup that did not end.
struct Leftover {
  Job job;  // all but `location`
  long pid = -1;
  std::string phase;
  std::string started;    // "2026-11-20T11:00:00Z"
  Upload upload;          // see discard()
  bool answered = false;  // the caller may have been told of it
  // The file is a copy, or came back with an older state of the whole machine, or the machine was
  // booted since: what it says of an upload may be long past, and that be a good backup.
  bool outdated = false;
};

// What the file of this VM says; nullopt for none, or one that cannot be understood.
std::optional<Leftover> read_leftover(int vm_id);
// It is undone.
void forget_leftover(int vm_id);

// The file, for as long as the object lives.  Not for two at a time: see Running.
class State {
 public:
  explicit State(const Job& job, std::chrono::milliseconds heartbeat = std::chrono::seconds{30});
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  // From now on we are in this phase, which ends within `deadline` (0: when it ends).  Does not
  // throw: that the file cannot be written is only logged.
  void enter(const std::string& phase, std::chrono::seconds deadline);
  // The datastore's driver is about to be run with this name; what it has answered; and, from now
  // on the caller may know of that.  Durable when they return, but they do not throw either.
  void uploads(const std::string& run);
  void stored(const std::string& reply);
  void answers() noexcept;
  // Where the upload may say how far it is (common/one/progress.h): <var dir>/vmm/<vm id>.progress.
  // Gone with the object.
  std::string progress() const;

 private:
  void beat(std::chrono::milliseconds interval);
  void note() noexcept;
  void write();

  std::filesystem::path path_;
  Job job_;
  std::string started_;
  std::string phase_ = "begin";
  std::string deadline_;
  Upload upload_;
  bool answered_ = false;
  bool done_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread heart_;
};

}  // namespace vmm
