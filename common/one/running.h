// SPDX-License-Identifier: Apache-2.0
// Who works on a VM right now, kept in files, so that a cancel finds it without reading the
// process table: <var dir>/running/<vm id>.<phase>.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/error.h"

// Another process is in that phase.
struct AlreadyRunning : Error {
  using Error::Error;
};

// This process, for as long as the object lives.  `phase` is "prebackup", "backup",
// "postbackup", "orchestrator".
class Running {
 public:
  // What dead processes of this VM have left goes; AlreadyRunning, naming the VM and the pid, when
  // a living one is in this phase for this VM; an Error when it cannot be written.  From then on,
  // in the phases that a cancel ends ("prebackup" and "backup"), ps calls this process "ruby": so
  // OpenNebula's own backup_cancel finds it.  For the first thread.
  Running(int vm_id, const std::string& phase);
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running();

 private:
  std::filesystem::path path_;
};

struct Worker {
  pid_t pid;
  std::string phase;
};

// The living processes (same pid, start time and boot as in their file) that work on this VM; what
// dead ones have left goes.
std::vector<Worker> workers(int vm_id);

// SIGTERM to the living processes of these phases; how many there were.
int stop_workers(int vm_id, const std::vector<std::string>& phases);
