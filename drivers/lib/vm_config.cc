// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/vm_config.h"

#include <algorithm>
#include <functional>
#include <set>

#include "common/error.h"
#include "common/number.h"
#include "common/one/template.h"

namespace state {
namespace {

using Settings = Store::Settings;
using Check = std::function<std::string(const std::string&)>;

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Check one_of(std::set<std::string> words) {
  return [words = std::move(words)](const std::string& value) {
    auto word = upper(value);
    if (words.contains(word)) return word;
    std::string all;
    for (const auto& one : words) all += (all.empty() ? "" : ", ") + one;
    throw BadRequest{"is one of " + all};
  };
}

Check number(int least, int most) {
  return [=](const std::string& value) {
    if (const auto found = parse_int(value, least, most)) return std::to_string(*found);
    throw BadRequest{"is a number from " + std::to_string(least) + " to " + std::to_string(most)};
  };
}

// parse_disk_ids() reads them with colons; people write commas.
std::vector<int> disk_ids(std::string list) {
  std::replace(list.begin(), list.end(), ',', ':');
  return parse_disk_ids(list);
}

std::string disk_list(const std::string& value) {
  std::string text;
  for (const int id : disk_ids(value)) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

std::string increment_mode(const std::string& value) {
  if (upper(value) == "SNAPSHOT")
    throw BadRequest{"is CBT here: SNAPSHOT needs the directories of an OpenNebula"};
  return one_of({"CBT"})(value);
}

std::string interactive(const std::string& value) {
  if (upper(value) == "NO") return "";
  throw BadRequest{"is NO here: there is nobody to export to"};
}

constexpr int most = 2'000'000'000;

const std::map<std::string, Check, std::less<>>& keys() {
  static const auto& all = *new std::map<std::string, Check, std::less<>>{
      {"MODE", one_of({"FULL", "INCREMENT"})},
      {"INCREMENT_MODE", increment_mode},
      {"FS_FREEZE", one_of({"NONE", "AGENT", "SUSPEND"})},
      {"BACKUP_VOLATILE", one_of({"YES", "NO"})},
      {"INTERACTIVE", interactive},
      {"DISK_IDS", disk_list},
      {"KEEP_LAST", number(-1, most)},
      {"KEEP_DAILY", number(-1, most)},
      {"KEEP_WEEKLY", number(-1, most)},
      {"KEEP_MONTHLY", number(-1, most)},
      {"KEEP_YEARLY", number(-1, most)},
      {"RPO", number(0, most)},
      {"PRIORITY", number(0, 99)},
      {"DATASTORE_ID", number(0, most)},
  };
  return all;
}

// Set by the core, and in every BACKUP_CONFIG that somebody gets to edit.
bool is_cores(const std::string& name) {
  static const std::set<std::string> all{
      "BACKUP_JOB_ID",     "INCREMENTAL_BACKUP_ID", "LAST_INCREMENT_ID",
      "LAST_DATASTORE_ID", "LAST_BRIDGE",           "LAST_BACKUP_ID",
      "LAST_BACKUP_SIZE",  "LAST_BACKUP_FORMAT",    "ACTIVE_FLATTEN"};
  return all.contains(name);
}

std::string get(const Settings& settings, const char* name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

}  // namespace

Settings checked_config(const Settings& config) {
  Settings all;
  for (const auto& [name, value] : config) {
    if (is_cores(name)) continue;
    const auto key = keys().find(name);
    if (key == keys().end())
      throw BadRequest{"'" + one_line(name) + "' is no attribute of BACKUP_CONFIG"};
    try {
      all[name] = value.empty() ? value : key->second(value);
    } catch (const BadRequest& error) {
      throw BadRequest{name + " " + error.what() + ", not '" + one_line(value) + "'"};
    }
  }
  return all;
}

Settings job_config(const Settings& config) {
  Settings all;
  for (const char* name : {"MODE", "INCREMENT_MODE", "FS_FREEZE", "BACKUP_VOLATILE", "DISK_IDS",
                           "KEEP_LAST", "KEEP_DAILY", "KEEP_WEEKLY", "KEEP_MONTHLY", "KEEP_YEARLY"})
    if (const auto found = config.find(name); found != config.end()) all.insert(*found);
  return checked_config(all);
}

VmConfig parse_config(const Settings& checked) {
  VmConfig config;
  if (const auto mode = get(checked, "MODE"); !mode.empty())
    config.mode = mode == "FULL" ? Mode::full : Mode::increment;
  if (const auto freeze = get(checked, "FS_FREEZE"); !freeze.empty())
    config.freeze = parse_freeze(freeze);
  if (const auto disks = get(checked, "DISK_IDS"); !disks.empty()) config.disks = disk_ids(disks);
  return config;
}

Settings effective_config(const Store& store, int vm) {
  auto config = store.settings(Store::Subject::vm, vm);
  for (const auto& attribute : one::parse_template(store.job_template_of(vm)))
    if (const auto* value = std::get_if<std::string>(&attribute.value)) {
      const auto set = job_config({{attribute.name, *value}});
      for (const auto& [name, text] : set) config[name] = text;
    }
  return config;
}

bool resets_chain(const Settings& before, const Settings& after) {
  return (get(before, "MODE") == "FULL") != (get(after, "MODE") == "FULL");
}

}  // namespace state
