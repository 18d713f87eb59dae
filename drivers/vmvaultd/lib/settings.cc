// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/settings.h"

#include <functional>
#include <limits>
#include <map>

#include "common/error.h"
#include "common/number.h"

namespace vmvaultd {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr Time most_seconds = 100 * 366 * day;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Of NAME = VALUE: what is after the sign, without quotes and without a comment.
std::string value_of(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with('"')) return std::string{trimmed(text.substr(0, text.find('#')))};
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      const auto rest = trimmed(text.substr(at + 1));
      if (!rest.empty() && rest.front() != '#') throw BadRequest{"there is more after the quotes"};
      return value;
    }
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  throw BadRequest{"the quotes do not end"};
}

int number(const std::string& value, int least, int most = std::numeric_limits<int>::max()) {
  if (const auto found = parse_int(value, least, most)) return *found;
  throw BadRequest{"'" + one_line(value) + "' is not a number from " + std::to_string(least) +
                   " on"};
}

Time seconds(const std::string& value, Time least) {
  const auto found = parse_number(value);
  if (!found || *found < least || *found > most_seconds)
    throw BadRequest{"'" + one_line(value) + "' is not a number of seconds, " +
                     std::to_string(least) + " or more"};
  return *found;
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
      {"MADS_LOCATION", [](auto& s, auto& v) { s.mads = v; }},
  };
  return all;
}

void take(Settings& settings, std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return;
  const auto equals = line.find('=');
  if (equals == line.npos) throw BadRequest{"it is not NAME = VALUE"};
  const auto name = trimmed(line.substr(0, equals));
  const auto key = keys().find(name);
  if (key == keys().end()) throw BadRequest{"'" + one_line(std::string{name}) + "' is unknown"};
  try {
    key->second(settings, value_of(line.substr(equals + 1)));
  } catch (const BadRequest& error) {
    throw BadRequest{key->first + ": " + error.what()};
  }
}

}  // namespace

Settings parse_service_settings(std::string_view text) {
  Settings settings;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    try {
      take(settings, text.substr(0, end));
    } catch (const BadRequest& error) {
      throw BadRequest{"line " + std::to_string(number) + ": " + error.what()};
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return settings;
}

}  // namespace vmvaultd
