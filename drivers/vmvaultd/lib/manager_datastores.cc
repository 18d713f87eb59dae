// SPDX-License-Identifier: Apache-2.0
// Datastores: whether they can be used, and what space they have (contract 1.13, 5.4).
#include <algorithm>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/lib/messages.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {
namespace {

std::string decoded(const std::string& info) try {
  return base64_decode(info);
} catch (const Error&) {
  return "";  // it answers, but not this
}

std::int64_t value(const std::string& text, const std::string& name) {
  const auto at = text.find(name + "=");
  if (at == text.npos || (at > 0 && text[at - 1] != '\n')) return 0;
  const auto begin = at + name.size() + 1;
  return parse_number(text.substr(begin, text.find_first_not_of("0123456789", begin) - begin))
      .value_or(0);
}

}  // namespace

// Also those that the command has added, or deleted, meanwhile.
void Manager::put_datastores() {
  const auto records = store_.datastores();
  std::erase_if(datastores_, [&](const auto& known) {
    const int id = known.first;
    if (std::any_of(records.begin(), records.end(), [&](const auto& one) { return one.id == id; }))
      return false;
    core_.remove_datastore(id);
    monitor_at_.erase(id);
    awaited_.erase(id);
    return true;
  });
  for (const auto& record : records) {
    const auto known = datastores_.find(record.id);
    Datastore datastore = known == datastores_.end()
                              ? Datastore{.id = record.id, .usable = record.usable}
                              : known->second;
    datastore = use_of(std::move(datastore), rules_.of_datastore(record.id), settings_.window);
    if (known != datastores_.end() && datastore == known->second) continue;
    if (known == datastores_.end()) monitor_at_[record.id] = 0;
    datastores_[record.id] = datastore;
    pools_.put(datastore);
    core_.put(datastore);
  }
}

// What a driver allows itself for an answer, also where it brings our helper to the server first or
// looks after hosts that are down; and all are asked at once, but so many at a time.
Time Manager::patience() const {
  constexpr Time longest = 10 * minute;
  constexpr std::size_t places = 15;  // the driver's
  return longest * static_cast<Time>((datastores_.size() + places - 1) / places);
}

// A driver that is not ready, or goes, answers the next time.  Who does not answer is not asked
// again before he does: he would answer that as little, and hold one more place of the driver's.
void Manager::monitor(Time now) {
  for (auto& [id, time] : monitor_at_) {
    if (const auto found = awaited_.find(id); found != awaited_.end()) {
      auto& until = found->second;
      if (until == last_time) continue;
      until = std::min(until, now + patience());  // the clock may have been set back
      if (now < until) continue;
      until = last_time;
      monitored(
          id,
          {.verb = "MONITOR", .good = false, .id = id, .info = base64_encode("it does not answer")},
          now);
      continue;
    }
    if (now < time && time <= now + settings_.monitoring) continue;
    time = now + settings_.monitoring;
    try {
      const auto request = messages::datastore_action(home_.datastore(id));
      if (ways_.ask_datastore("MONITOR", id, base64_encode(request.dump())))
        awaited_[id] = now + patience();
    } catch (const Error& error) {
      monitored(id,
                {.verb = "MONITOR", .good = false, .id = id, .info = base64_encode(error.what())},
                now);
    }
  }
}

void Manager::monitored(int id, const Answer& answer, Time now) {
  const auto known = datastores_.find(id);
  if (known == datastores_.end()) return;
  const auto name = "datastore " + std::to_string(id);
  const auto text = decoded(answer.info);
  const auto why = answer.good                   ? ""
                   : text.empty() || text == "-" ? "its driver does not say why"
                                                 : one_line(text);
  store_.put_trouble(id, why);
  if (answer.good) {
    store_.put_space(id, {.used_mib = value(text, "USED_MB"),
                          .total_mib = value(text, "TOTAL_MB"),
                          .free_mib = value(text, "FREE_MB")});
  } else {  // backups wait for it: soon again
    monitor_at_[id] = now + std::min(settings_.monitoring, minute);
  }
  if (known->second.usable == answer.good) return;
  known->second.usable = answer.good;
  pools_.put(known->second);
  core_.put(known->second);
  save();
  log(answer.good ? 'I' : 'W', {"DATASTORE", id},
      name + (answer.good ? " can be used again" : " cannot be used: " + why));
}

}  // namespace vmvaultd
