// SPDX-License-Identifier: Apache-2.0
#include "common/one/running.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/location.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

namespace fs = std::filesystem;

namespace {

// A process, and not another one that came to have its number later.
struct Identity {
  pid_t pid = -1;
  std::string start;  // in ticks since the boot
  std::string boot;
  bool operator==(const Identity&) const = default;
  std::string text() const { return std::to_string(pid) + " " + start + " " + boot + "\n"; }
};

std::optional<Identity> parse(const std::string& text) {
  std::istringstream words{text};
  std::string pid;
  Identity identity;
  words >> pid >> identity.start >> identity.boot;
  const auto number = parse_int(pid, 1);
  if (!words || !number) return std::nullopt;
  identity.pid = *number;
  return identity;
}

// The process with this number now, unless it is dead but not yet collected.
std::optional<Identity> living(pid_t pid) try {
  const auto stat = read_file_if_any("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return std::nullopt;
  // The name, in parentheses, may hold anything: what follows the last one is fields 3 and on.
  std::istringstream fields{stat->substr(stat->rfind(')') + 1)};
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return std::nullopt;
  for (int number = 4; number <= 22; ++number) fields >> field;
  std::string boot = read_file("/proc/sys/kernel/random/boot_id");
  boot.erase(boot.find_last_not_of('\n') + 1);
  return Identity{pid, field, boot};
} catch (const Error&) {
  return std::nullopt;  // ESRCH: it went while we read
}

bool alive(const Identity& identity) { return living(identity.pid) == identity; }

fs::path directory() {
  const fs::path dir = var_dir() / "running";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error("make '" + dir.string() + "'", errno);
  return dir;
}

FileLock lock(const fs::path& dir) {
  return FileLock::lock(dir / "lock", std::chrono::seconds{30}, "the list of running backups");
}

}  // namespace

Running::Running(int vm_id, const std::string& phase) {
  const auto dir = directory();
  const auto path = dir / (std::to_string(vm_id) + "." + phase);
  const auto guard = lock(dir);
  const auto other = parse(read_file_if_any(path).value_or(""));
  if (other && alive(*other))
    throw Error{"VM " + std::to_string(vm_id) + " is already in the " + phase +
                " of a backup (process " + std::to_string(other->pid) + ")"};
  const auto self = living(getpid());
  if (!self) throw Error{"cannot read the state of this process in /proc"};
  write_file(path, self->text());
  path_ = path;
}

// Nobody else writes our file as long as we live.
Running::~Running() { unlink(path_.c_str()); }

std::vector<Worker> workers(int vm_id) {
  std::vector<Worker> found;
  const std::string prefix = std::to_string(vm_id) + ".";
  for (const auto& entry : fs::directory_iterator{directory()}) {
    const std::string name = entry.path().filename().string();
    // Another dot: write_file() is not done with it.
    if (!name.starts_with(prefix) || name.find('.', prefix.size()) != name.npos) continue;
    const auto identity = parse(read_file_if_any(entry.path()).value_or(""));
    if (identity && alive(*identity)) found.push_back({identity->pid, name.substr(prefix.size())});
  }
  return found;
}

int stop_workers(int vm_id, const std::vector<std::string>& phases) {
  int count = 0;
  for (const auto& phase : phases) {
    const auto path = directory() / (std::to_string(vm_id) + "." + phase);
    const auto identity = parse(read_file_if_any(path).value_or(""));
    if (!identity || identity->pid == getpid()) continue;
    // The descriptor stays with the process that has the number now; only then do we look who it
    // is.
    const Fd process{pidfd_open(identity->pid, 0)};
    if (!process || !alive(*identity)) continue;
    if (pidfd_send_signal(process.get(), SIGTERM, nullptr, 0) != 0 && errno != ESRCH)
      throw system_error("stop process " + std::to_string(identity->pid), errno);
    ++count;
  }
  return count;
}
