// SPDX-License-Identifier: Apache-2.0
#include "common/one/left_hosts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <sstream>
#include <string_view>
#include <utility>

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

FileLock lock() {
  return FileLock::lock(directory() / "lock", std::chrono::seconds{30}, "the list of hosts");
}

// "kvm1 host /DIR", "bridge1 bridge /DIR"; of older versions: "kvm1".
constexpr std::string_view of_host = " host ", of_bridge = " bridge ";

std::string to_line(const LeftPlace& place) {
  std::string line = place.host;
  if (!place.dir.empty())
    line.append(place.bridge ? of_bridge : of_host).append(place.dir.string());
  return line + "\n";
}

LeftPlace parse_line(const std::string& line) {
  LeftPlace out{.host = line.substr(0, line.find(' ')), .bridge = false, .dir = {}};
  const std::string_view rest = std::string_view{line}.substr(out.host.size());
  out.bridge = rest.starts_with(of_bridge);
  if (out.bridge || rest.starts_with(of_host))
    out.dir = rest.substr((out.bridge ? of_bridge : of_host).size());
  return out;
}

// Under the lock.
void write_places(int vm_id, const std::vector<LeftPlace>& places) {
  std::string text;
  for (const auto& place : places) text += to_line(place);
  if (!text.empty()) return write_file(entry(vm_id), text);
  if (unlink(entry(vm_id).c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + entry(vm_id).string() + "'", errno);
}

struct Dead {
  int vm_id;
  LeftPlace place;
};

using ByHost = std::map<std::string, std::vector<Dead>>;

// Of VMs whose backups are dead.
ByHost dead() {
  ByHost out;
  for (const auto& file : entries_of(directory())) {
    const auto vm_id = parse_int(file.filename().string(), 0);
    if (!vm_id || !workers(*vm_id).empty()) continue;
    for (const auto& place : left_places(*vm_id)) out[place.host].push_back({*vm_id, place});
  }
  return out;
}

// Those that do not answer stay, and would be the first, and the only ones, each time.
auto in_any_order(const ByHost& hosts) {
  std::vector<std::pair<std::string, std::vector<Dead>>> out{hosts.begin(), hosts.end()};
  std::shuffle(out.begin(), out.end(), std::random_device{});
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

// True when nothing is registered any more.
bool recover_here() {
  // Mostly there is none, and a program with all of libvirt takes its time to start.
  std::error_code none;
  if (fs::is_empty(register_of_this_host(), none) || none) return true;
  return fs::exists(remotes_root() / "tm/host/backup_host") &&
         succeeds(recover_on(remotes_root()), "this machine");
}

}  // namespace

fs::path register_of_this_host() { return var_path() / "host"; }

std::vector<LeftPlace> left_places(int vm_id) {
  std::vector<LeftPlace> out;
  std::istringstream text{read_file_if_any(entry(vm_id)).value_or("")};
  for (std::string line; std::getline(text, line);)
    if (!line.empty()) out.push_back(parse_line(line));
  return out;
}

void enter_place(int vm_id, const LeftPlace& place) {
  const auto held = lock();
  auto places = left_places(vm_id);
  if (std::find(places.begin(), places.end(), place) != places.end()) return;
  places.push_back(place);
  write_places(vm_id, places);
}

void strike_out_place(int vm_id, const LeftPlace& place) noexcept try {
  const auto held = lock();
  auto places = left_places(vm_id);
  if (std::erase(places, place) > 0) write_places(vm_id, places);
} catch (const std::exception& e) {
  log(Level::warn, e.what());
}

void recover_left_hosts() noexcept try {
  const bool here = recover_here();
  std::size_t asked = 0;
  for (const auto& [host, all] : in_any_order(dead())) {
    const bool local = is_this_machine(host);
    if (!local && asked++ == most) break;
    if (!(local ? here : succeeds(recover_on(remote_root()).on(host), host))) continue;
    // What was copied to a bridge is only removed by who knows that nobody will read it.
    for (const auto& one : all)
      if (!one.place.bridge) strike_out_place(one.vm_id, one.place);
  }
} catch (const std::exception& e) {
  log(Level::warn, e.what());
}
