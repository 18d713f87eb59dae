// SPDX-License-Identifier: Apache-2.0
// The process that ends a backup when the one that makes it no longer can.
//
// One guard per backup: `backup_host guard`, started before anything is changed, in a session of
// its own.  It shares the VM's backup lock, so nobody else gets at the VM before it is done.  It
// holds one end of a socket, whoever makes the backup (`begin`, then the exporter of a view) the
// other: each sees at once that the other one is dead.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

#include "common/handle.h"
#include "common/one/vm.h"

namespace host {

class Guard {
 public:
  struct Order {
    std::filesystem::path vm_dir;  // where journal and log are
    std::string libvirt_uri;       // empty: there is no guest here
    int lock = -1;                 // descriptor of the VM's backup lock
  };

  // Waits until it is ready (connected to libvirt, where there is a guest).  Throws Error when it
  // does not get ready: then nothing must be begun.
  explicit Guard(const Order& order);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  // The guard sees that we are gone, does what the journal still asks for, if there is one, and
  // ends.  Waits for that as long as it takes to end an orderly backup.
  ~Guard();

  pid_t pid() const { return pid_; }
  int fd() const { return socket_.get(); }  // readable when check() has something to say

  // The guest is about to stand still: it is set free after `limit`, unless freed() comes first.
  void standing_still(Freeze how, const std::string& domain, std::chrono::seconds limit);
  void freed() noexcept;
  // The job that the journal names is about to begin.  From now on the guard ends it for the
  // guest's sake: when `scratch` has less than `floor` bytes free, when qemu paused the guest for
  // an I/O error (it is resumed), or when the domain has ended.
  void watch(const std::filesystem::path& scratch, std::uint64_t floor);
  // Throws Error: the guard has ended the backup, and why; or the guard is dead.
  void check();
  bool dead() const { return dead_; }  // as far as check() has seen
  // What has become of the guard is another process's business: no waiting at our end.
  void leave() noexcept { socket_.reset(); }

 private:
  Fd socket_;
  pid_t pid_ = -1;
  std::string verdict_;
  bool dead_ = false;
};

// Tells a guard that its VM is being started: it ends the backup of disks at rest, with this
// reason.
inline constexpr int vm_starts = SIGUSR1;
inline constexpr const char* vm_was_started =
    "the VM was started, which ends a backup of its disks at rest: the next one takes them as it "
    "runs";

// What that process does.  Returns its exit status.
int run_guard();

}  // namespace host
