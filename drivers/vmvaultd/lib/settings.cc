// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/settings.h"

#include <functional>
#include <limits>
#include <map>

#include "common/error.h"
#include "common/number.h"
#include "drivers/vmvaultd/lib/conf.h"

namespace vmvaultd {
namespace {

constexpr Time most_seconds = 100 * 366 * day;

int number(const std::string& value, int least, int most = std::numeric_limits<int>::max()) {
  if (const auto found = parse_int(value, least, most)) return *found;
  const bool open = most == std::numeric_limits<int>::max();
  throw BadRequest{"'" + one_line(value) + "' is not a number from " + std::to_string(least) +
                   (open ? " on" : " to " + std::to_string(most))};
}

Time seconds(const std::string& value, Time least) {
  const auto found = parse_number(value);
  if (!found || *found < least || *found > most_seconds)
    throw BadRequest{"'" + one_line(value) + "' is not a number of seconds, " +
                     std::to_string(least) + " or more"};
  return *found;
}

bool flag(const std::string& value) {
  if (value == "YES" || value == "NO") return value == "YES";
  throw BadRequest{"'" + one_line(value) + "' is neither YES nor NO"};
}

Counting counting(const std::string& value) {
  if (value == "EACH") return Counting::each;
  if (value == "IN_TURN") return Counting::in_turn;
  throw BadRequest{"'" + one_line(value) + "' is neither EACH nor IN_TURN"};
}

using Take = std::function<void(Settings&, const std::string&)>;

const std::map<std::string, Take, std::less<>>& keys() {
  static const auto& all = *new std::map<std::string, Take, std::less<>>{
      {"MAX_BACKUPS", [](auto& s, auto& v) { s.manager.policy.limits.all = number(v, 0); }},
      {"MAX_BACKUPS_HOST", [](auto& s, auto& v) { s.manager.policy.limits.host = number(v, 0); }},
      {"MAX_BACKUPS_DATASTORE",
       [](auto& s, auto& v) { s.manager.policy.limits.datastore = number(v, 0); }},
      {"RPO", [](auto& s, auto& v) { s.manager.rpo = seconds(v, 0); }},
      {"DATASTORE_ID", [](auto& s, auto& v) { s.manager.datastore = number(v, 0); }},
      {"BACKUP_WINDOW",
       [](auto& s, auto& v) {
         s.manager.window = v.empty() ? std::nullopt : std::optional{Window::parse(v)};
       }},
      {"RETRIES", [](auto& s, auto& v) { s.manager.policy.retry.most = number(v, 0, 1000); }},
      {"RETRY_INTERVAL", [](auto& s, auto& v) { s.manager.policy.retry.first = seconds(v, 1); }},
      {"KEEP_LAST", [](auto& s, auto& v) { s.manager.keep.last = number(v, -1); }},
      {"KEEP_DAILY", [](auto& s, auto& v) { s.manager.keep.daily = number(v, -1); }},
      {"KEEP_WEEKLY", [](auto& s, auto& v) { s.manager.keep.weekly = number(v, -1); }},
      {"KEEP_MONTHLY", [](auto& s, auto& v) { s.manager.keep.monthly = number(v, -1); }},
      {"KEEP_YEARLY", [](auto& s, auto& v) { s.manager.keep.yearly = number(v, -1); }},
      {"KEEP_COUNTING", [](auto& s, auto& v) { s.manager.keep.counting = counting(v); }},
      {"MONITORING_INTERVAL_HOST", [](auto& s, auto& v) { s.look = seconds(v, 1); }},
      {"LIBVIRT_URI", [](auto& s, auto& v) { s.uri = v; }},
      {"MONITORING_INTERVAL_DATASTORE",
       [](auto& s, auto& v) { s.manager.monitoring = seconds(v, 1); }},
      {"HOOK", [](auto& s, auto& v) { s.hook = v; }},
      {"PORT", [](auto& s, auto& v) { s.front.port = number(v, 0, 65535); }},
      {"LISTEN_ADDRESS", [](auto& s, auto& v) { s.front.address = v; }},
      {"SOCKET", [](auto& s, auto& v) { s.front.socket = v; }},
      {"SOCKET_GROUP", [](auto& s, auto& v) { s.front.group = v; }},
      {"METRICS", [](auto& s, auto& v) { s.front.metrics = flag(v); }},
      {"MADS_LOCATION", [](auto& s, auto& v) { s.mads = v; }},
  };
  return all;
}

void take_log(Settings& settings, const ConfEntry& entry) {
  if (!entry.is_list) throw BadRequest{"it is not [ NAME = VALUE, ... ]"};
  auto& log = settings.log;
  std::string system = "std";
  std::string file = "/var/log/vmvaultd.log";
  for (const auto& [line, name, value, list, is_list] : entry.list) {
    if (name == "SYSTEM") {
      if (value != "std" && value != "file" && value != "syslog")
        throw BadRequest{"SYSTEM: '" + one_line(value) + "' is neither std nor file nor syslog"};
      system = value;
    } else if (name == "DEBUG_LEVEL") {
      log.level = number(value, 0);
    } else if (name == "FILE") {
      if (!value.starts_with('/'))
        throw BadRequest{"FILE: '" + one_line(value) + "' does not begin with /"};
      file = value;
    } else {
      throw BadRequest{"'" + one_line(name) + "' is unknown"};
    }
  }
  log.file = system == "file" ? file : "";
  log.to_syslog = system == "syslog";
}

void take(Settings& settings, const ConfEntry& entry) {
  const auto key = keys().find(entry.name);
  if (key == keys().end() && entry.name != "LOG")
    throw BadRequest{"'" + one_line(entry.name) + "' is unknown"};
  try {
    if (entry.name == "LOG") return take_log(settings, entry);
    if (entry.is_list) throw BadRequest{"it has no list of values"};
    key->second(settings, entry.value);
  } catch (const BadRequest& error) {
    throw BadRequest{entry.name + ": " + error.what()};
  }
}

}  // namespace

Settings parse_service_settings(std::string_view text) {
  Settings settings;
  for (const auto& entry : parse_conf(text)) try {
      take(settings, entry);
    } catch (const BadRequest& error) {
      throw BadRequest{"line " + std::to_string(entry.line) + ": " + error.what()};
    }
  return settings;
}

}  // namespace vmvaultd
