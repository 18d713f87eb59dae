// SPDX-License-Identifier: Apache-2.0
#include "common/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <sstream>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace cgroup {
namespace {

// Ours, and nobody else's: leave() removes what begins so.
constexpr std::string_view prefix = "vmvault-";

// One limit, as the files of the two versions take it.
struct Knob {
  const char* name;
  std::optional<int> limit;
  const char *controller, *file;
  std::string value;
  const char* old_controller;
  std::vector<std::pair<std::string, std::string>> old_files;
};

std::string product(std::optional<int> number, std::int64_t unit, const char* otherwise) {
  return number ? std::to_string(*number * unit) : otherwise;
}

std::vector<Knob> knobs(const confine::Order& order) {
  const auto& [nice, ionice, cpu, memory, reads, writes] = order.limits;
  constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
  std::vector<Knob> out{
      {"CPU_QUOTA",
       cpu,
       "cpu",
       "cpu.max",
       product(cpu, 1000, "max") + " 100000",
       "cpu",
       {{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", product(cpu, 1000, "-1")}}},
      {"MEMORY_MAX_MB",
       memory,
       "memory",
       "memory.max",
       product(memory, mebibyte, "max"),
       "memory",
       {{"memory.limit_in_bytes", product(memory, mebibyte, "-1")}}}};
  const auto disk = disk_of(order.directory).value_or("");
  const auto throttle = [&](const char* name, auto limit, const char* key, const char* old_file) {
    out.push_back({name,
                   limit,
                   "io",
                   "io.max",
                   disk + " " + key + "=" + product(limit, 1, "max"),
                   "blkio",
                   {{old_file, disk + " " + product(limit, 1, "0")}}});
  };
  throttle("MAX_RIOPS", reads, "riops", "blkio.throttle.read_iops_device");
  throttle("MAX_WIOPS", writes, "wiops", "blkio.throttle.write_iops_device");
  return out;
}

// 0, or errno.  Kernel files take one write, and answer it.
int put(const fs::path& file, const std::string& text) {
  const Fd fd{open(file.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd) return errno;
  return write(fd.get(), text.data(), text.size()) == -1 ? errno : 0;
}

bool make(const fs::path& dir) { return mkdir(dir.c_str(), 0755) == 0 || errno == EEXIST; }

bool set_new(const fs::path& mount, const fs::path& group, const Knob& knob) {
  if (!fs::exists(group / knob.file)) {
    if (!knob.limit) return false;
    put(mount / "cgroup.subtree_control", std::string{"+"} + knob.controller);
  }
  return put(group / knob.file, knob.value) == 0;
}

bool set_old(const fs::path& group, const Knob& knob) {
  if (!knob.limit && !fs::exists(group)) return true;
  if (!make(group)) return false;
  for (const auto& [file, value] : knob.old_files)
    if (put(group / file, value) != 0) return false;
  return true;
}

// Sets the limits; returns the groups that have to be joined.
std::set<fs::path> prepare(const Mounts& where, const confine::Order& order,
                           confine::Confined& out) {
  const std::string name = std::string{prefix} + order.group;
  std::set<fs::path> groups;
  const bool unified = where.unified && make(*where.unified / name);
  if (unified) groups.insert(*where.unified / name);
  for (const auto& knob : knobs(order)) {
    if (unified && set_new(*where.unified, *where.unified / name, knob)) continue;
    const auto old = where.of.find(knob.old_controller);
    const bool done = old != where.of.end() && set_old(old->second / name, knob);
    if (done && fs::exists(old->second / name)) groups.insert(old->second / name);
    if (!done && knob.limit) out.missing.emplace_back(knob.name);
  }
  return groups;
}

bool contains_us(const fs::path& group) {
  std::istringstream pids{read_file_if_any(group / "cgroup.procs").value_or("")};
  for (pid_t pid = 0; pids >> pid;)
    if (pid == getpid()) return true;
  return false;
}

}  // namespace

Mounts parse_mounts(std::string_view mountinfo) {
  Mounts out;
  std::istringstream lines{std::string{mountinfo}};
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find(" - ");
    if (dash == line.npos) continue;
    std::istringstream before{line.substr(0, dash)}, after{line.substr(dash + 3)};
    std::string word, path, type, options;
    for (int i = 0; i < 4; ++i) before >> word;
    before >> path;
    after >> type >> word >> options;
    if (type == "cgroup2" && !out.unified) out.unified = path;
    if (type != "cgroup") continue;
    std::istringstream controllers{options};
    while (std::getline(controllers, word, ',')) out.of.emplace(word, path);
  }
  return out;
}

Mounts mounts() { return parse_mounts(read_file_if_any("/proc/self/mountinfo").value_or("")); }

void enter(const Mounts& where, const confine::Order& order, confine::Confined& out) {
  // Whoever sweeps may take the group away before somebody is in it.
  for (int attempt = 0; attempt < 10; ++attempt) {
    confine::Confined now = out;
    int error = 0;
    for (const auto& group : prepare(where, order, now)) {
      error = put(group / "cgroup.procs", "0");
      if (error != 0) break;
    }
    if (error == ENOENT || error == ENODEV) continue;
    if (error != 0) break;
    out = now;
    out.apart = contains_us(where.unified.value_or("") / (std::string{prefix} + order.group));
    return;
  }
  for (const auto& knob : knobs(order))
    if (knob.limit) out.missing.emplace_back(knob.name);
}

void leave(const Mounts& where) noexcept try {
  std::set<fs::path> roots;
  if (where.unified) roots.insert(*where.unified);
  for (const auto* controller : {"cpu", "memory", "blkio"})
    if (const auto old = where.of.find(controller); old != where.of.end())
      roots.insert(old->second);
  for (const auto& root : roots) {
    for (const auto& entry : fs::directory_iterator{root}) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      if (contains_us(entry.path())) put(root / "cgroup.procs", "0");
      rmdir(entry.path().c_str());
    }
  }
} catch (const std::exception&) {  // the next one sweeps
}

std::optional<std::string> disk_of(const fs::path& directory) {
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0 || major(info.st_dev) == 0) return std::nullopt;
  const std::string number =
      std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev));
  std::error_code error;
  const auto device = fs::canonical(fs::path{"/sys/dev/block"} / number, error);
  if (error) return std::nullopt;
  if (!fs::exists(device / "partition")) return number;
  return one_line(read_file_if_any(device.parent_path() / "dev").value_or(number));
}

}  // namespace cgroup
