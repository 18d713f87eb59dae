// SPDX-License-Identifier: Apache-2.0
#include "common/one/running.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/error.h"
#include "common/file.h"
#include "common/one/location.h"
#include "common/process.h"

namespace fs = std::filesystem;

namespace {

// Stock's backup_cancel looks for the step of a backup among the programs with this name (contract
// 2.13); its own postbackup, too, which must not be stopped: ours is not named so.
constexpr const char* name_for_stock = "ruby";

bool may_be_cancelled(const std::string& phase) {
  return phase == "prebackup" || phase == "backup";
}

fs::path directory() {
  const fs::path dir = var_dir() / "running";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error("make '" + dir.string() + "'", errno);
  return dir;
}

FileLock lock(const fs::path& dir) {
  return FileLock::lock(dir / "lock", std::chrono::seconds{30}, "the list of running backups");
}

// Under the lock.
std::vector<Worker> living(const fs::path& dir, int vm_id) {
  std::vector<Worker> found;
  const std::string prefix = std::to_string(vm_id) + ".";
  for (const auto& path : entries_of(dir)) {
    const std::string name = path.filename().string();
    if (!name.starts_with(prefix)) continue;
    const auto phase = name.substr(prefix.size());
    const auto process = Process::parse(read_file_if_any(path).value_or(""));
    // Another dot: write_file() was not done with it when it died.
    if (process && process->alive() && phase.find('.') == phase.npos)
      found.push_back({process->pid, phase});
    else
      unlink(path.c_str());
  }
  return found;
}

}  // namespace

Running::Running(int vm_id, const std::string& phase) {
  const auto dir = directory();
  const auto guard = lock(dir);
  for (const auto& other : living(dir, vm_id))
    if (other.phase == phase)
      throw AlreadyRunning{"VM " + std::to_string(vm_id) + " is already in the " + phase +
                           " of a backup (process " + std::to_string(other.pid) + ")"};
  const auto path = dir / (std::to_string(vm_id) + "." + phase);
  write_file(path, Process::self().text());
  path_ = path;
  if (may_be_cancelled(phase)) prctl(PR_SET_NAME, name_for_stock);
}

// Nobody else writes our file as long as we live.
Running::~Running() { unlink(path_.c_str()); }

std::vector<Worker> workers(int vm_id) {
  const auto dir = directory();
  const auto guard = lock(dir);
  return living(dir, vm_id);
}

int stop_workers(int vm_id, const std::vector<std::string>& phases) {
  int count = 0;
  for (const auto& phase : phases) {
    const auto path = directory() / (std::to_string(vm_id) + "." + phase);
    const auto process = Process::parse(read_file_if_any(path).value_or(""));
    if (!process || process->pid == getpid() || !process->signal(SIGTERM)) continue;
    ++count;
  }
  return count;
}
