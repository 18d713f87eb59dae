// SPDX-License-Identifier: Apache-2.0
#include "common/confine.h"

#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "common/cgroup.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace confine {
namespace {

constexpr std::chrono::seconds patience{30};  // with a systemd that has much to do

void set_priorities(const Limits& limits, std::vector<std::string>& missing) {
  errno = 0;
  if (limits.nice && nice(*limits.nice) == -1 && errno != 0) missing.emplace_back("NICE");
  constexpr int this_process = 1, best_effort = 2 << 13;  // glibc has no names for them
  if (limits.ionice && syscall(SYS_ioprio_set, this_process, 0, best_effort | *limits.ionice) != 0)
    missing.emplace_back("IONICE");
}

bool may_outlive_session() {
  const passwd* user = getpwuid(geteuid());
  return user && fs::exists(fs::path{"/var/lib/systemd/linger"} / user->pw_name);
}

// Which systemd is ours: the words that say so to its programs, or why there is none.
struct Manager {
  std::vector<std::string> words;
  std::string why_not;
};

Manager manager_for(const Order& order) {
  if (geteuid() == 0) return {{}, ""};
  if (!getenv("XDG_RUNTIME_DIR"))
    setenv("XDG_RUNTIME_DIR", ("/run/user/" + std::to_string(geteuid())).c_str(), 0);
  if (!fs::exists(fs::path{getenv("XDG_RUNTIME_DIR")} / "systemd/private"))
    return {{}, "this user has no systemd of his own: 'loginctl enable-linger' gives him one"};
  // It ends soon after the user's last session, and all that it runs with it.
  if (order.outlives && !may_outlive_session())
    return {{}, "this user's systemd ends with his session: 'loginctl enable-linger' lets it stay"};
  return {{"--user"}, ""};
}

std::string text(std::optional<int> number, const char* unit) {
  return number ? std::to_string(*number) + unit : "";
}

// All of them, since the slice may have others from an earlier backup; empty ones are none.
std::vector<std::string> properties(const Order& order) {
  const auto iops = [&](std::optional<int> number) {
    return number ? order.directory.string() + " " + std::to_string(*number) : "";
  };
  return {"CPUQuota=" + text(order.limits.cpu_percent, "%"),
          "MemoryMax=" + text(order.limits.memory_mb, "M"),
          "IOReadIOPSMax=" + iops(order.limits.read_iops),
          "IOWriteIOPSMax=" + iops(order.limits.write_iops)};
}

bool needs_group(const Field& field) {
  return field.value != &Limits::nice && field.value != &Limits::ionice;
}

void miss_all(const Limits& limits, std::vector<std::string>& missing) {
  for (const auto& field : fields)
    if (needs_group(field) && limits.*field.value) missing.emplace_back(field.name);
}

// A user's systemd may lack controllers: it takes the properties then, and does nothing.
void check_controllers(const std::string& groups, const Limits& limits, Confined& out) {
  const auto at = groups.find("0::/");
  const auto root = cgroup::mounts().unified;
  if (at == groups.npos || !root || groups.find("name=systemd") != groups.npos) return;
  const fs::path scope = groups.substr(at + 4, groups.find('\n', at) - at - 4);
  const auto slice = *root / scope.parent_path();
  for (const auto& field : fields) {
    if (!needs_group(field) || !(limits.*field.value)) continue;
    const bool cpu = field.value == &Limits::cpu_percent;
    const bool memory = field.value == &Limits::memory_mb;
    if (!fs::exists(slice / (cpu ? "cpu.max" : memory ? "memory.max" : "io.max")))
      out.missing.emplace_back(field.name);
  }
  if (!out.missing.empty())
    out.why = "the controllers are not delegated to '" + slice.filename().string() + "'";
}

std::vector<std::string> joined(std::vector<std::string> words,
                                const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void through_systemd(const Manager& manager, const Order& order, Confined& out) {
  const std::string slice = order.group + ".slice";
  const auto set =
      joined(joined({"systemctl"}, manager.words),
             joined({"--quiet", "--runtime", "set-property", slice}, properties(order)));
  auto prefix = joined(joined({"systemd-run"}, manager.words),
                       {"--quiet", "--scope", "--collect", "--slice=" + slice, "--"});
  try {
    if (const auto done = Command{set}.deadline(patience).run(); !done.ok()) {
      miss_all(order.limits, out.missing);
      out.why = one_line(last_line(done.err));
    }
    // Who becomes systemd-run cannot come back from it; so somebody else goes first.
    const auto groups =
        Command{joined(prefix, {"cat", "/proc/self/cgroup"})}.deadline(patience).output();
    if (out.missing.empty()) check_controllers(groups, order.limits, out);
    out.prefix = std::move(prefix);
    out.apart = true;
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    miss_all(order.limits, out.missing);
    out.why = error.what();
  }
}

}  // namespace

bool Limits::any() const { return *this != Limits{}; }

Confined enter(const Order& order) {
  Confined out;
  set_priorities(order.limits, out.missing);
  if (!fs::is_directory("/run/systemd/system")) {
    cgroup::leave(cgroup::mounts());  // nobody else sweeps
    cgroup::enter(cgroup::mounts(), order, out);
    if (!out.missing.empty() || !out.apart)
      out.why = "systemd is not running, and cgroups are not all ours to write";
    return out;
  }
  const auto manager = manager_for(order);
  if (manager.why_not.empty()) {
    through_systemd(manager, order, out);
  } else {
    out.why = manager.why_not;
    miss_all(order.limits, out.missing);
  }
  return out;
}

void leave() noexcept try { cgroup::leave(cgroup::mounts()); } catch (const std::exception&) {
}

std::string complaint(const Confined& confined) {
  std::vector<std::string> missing = confined.missing;
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  std::string names;
  for (const auto& name : missing) names += (names.empty() ? "" : ", ") + name;
  if (names.empty()) return "";
  return "limits that are not enforced here: " + names +
         (confined.why.empty() ? "" : " (" + confined.why + ")");
}

}  // namespace confine
