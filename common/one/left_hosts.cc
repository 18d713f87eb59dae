// SPDX-License-Identifier: Apache-2.0
#include "common/one/left_hosts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/one/running.h"

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds limit{20};
constexpr std::size_t most = 3;  // hosts at a time: the others have their turn next time

fs::path directory() {
  const fs::path dir = var_dir() / "hosts";
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    throw system_error("make '" + dir.string() + "'", errno);
  return dir;
}

fs::path entry(int vm_id) { return directory() / std::to_string(vm_id); }

// By host: the VMs whose backups are dead.
std::map<std::string, std::set<int>> dead() {
  std::map<std::string, std::set<int>> out;
  for (const auto& file : fs::directory_iterator{directory()}) {
    const auto vm_id = parse_int(file.path().filename().string(), 0);
    const auto host = read_file_if_any(file.path());
    if (vm_id && host && !host->empty() && workers(*vm_id).empty()) out[*host].insert(*vm_id);
  }
  return out;
}

Command recover_on(const fs::path& root) {
  return Command{{(root / "tm/host/backup_host").string(), "recover", "--all"}};
}

bool succeeds(Command command, const std::string& where) try {
  const auto finished = command.deadline(limit).run();
  if (finished.ok()) return true;
  log(Level::warn, "dead backups on " + where + ": " + last_line(finished.err));
  return false;
} catch (const Error& e) {
  log(Level::warn, "dead backups on " + where + ": " + e.what());
  return false;
}

}  // namespace

fs::path register_of_this_host() { return var_path() / "host"; }

void enter_host(int vm_id, const std::string& host) { write_file(entry(vm_id), host); }

void strike_out_host(int vm_id) noexcept try {
  if (unlink(entry(vm_id).c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + entry(vm_id).string() + "'", errno);
} catch (const std::exception& e) {
  log(Level::warn, e.what());
}

void recover_left_hosts() noexcept try {
  // Mostly there is none, and a program with all of libvirt takes its time to start.
  std::error_code none;
  if (!fs::is_empty(register_of_this_host(), none) && !none &&
      fs::exists(remotes_root() / "tm/host/backup_host"))
    succeeds(recover_on(remotes_root()), "this machine");
  std::size_t asked = 0;
  for (const auto& [host, vms] : dead()) {
    if (asked++ == most) break;
    if (!succeeds(recover_on(remote_root()).on(host), host)) continue;
    for (const int vm_id : vms) strike_out_host(vm_id);
  }
} catch (const std::exception& e) {
  log(Level::warn, e.what());
}
