// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/looks.h"

#include <algorithm>

namespace vmvaultd {

bool Looks::begins(int id, const std::string& uri, Time now) {
  auto& host = hosts_[id];
  if (host.uri != uri) host = {.uri = uri};
  host.kept = true;
  // Also after the clock was set back.
  const bool due = now >= host.at || host.at > now + std::max(interval_, longest);
  if (host.asked || !due) return false;
  return host.asked = true;
}

Looks::Heard Looks::ended(int id, const std::string& uri, bool good, bool backs_off, Time now) {
  const auto found = hosts_.find(id);
  if (found == hosts_.end() || found->second.uri != uri) return Heard::nothing;
  auto& host = found->second;
  if (!host.kept) {
    hosts_.erase(found);
    return Heard::nothing;
  }
  const bool came = good && !host.answered;
  host.asked = false;
  host.answered = good;
  host.failures = good ? 0 : host.failures + 1;
  host.at = now + pause(host, backs_off);
  return !good ? Heard::failed : came ? Heard::came : Heard::again;
}

Time Looks::pause(const Host& host, bool backs_off) const {
  if (host.failures == 0 || !backs_off) return interval_;
  constexpr int most_doublings = 10;
  const Time longer = interval_ << std::min(host.failures - 1, most_doublings);
  return std::clamp(longer, interval_, std::max(interval_, longest));
}

void Looks::keep(const std::set<int>& hosts) {
  for (auto& [id, host] : hosts_) {
    host.kept = hosts.contains(id);
    if (!host.kept) host.answered = false;
  }
  std::erase_if(hosts_, [](const auto& one) { return !one.second.kept && !one.second.asked; });
}

Time Looks::next() const {
  Time first = last_time;
  for (const auto& [id, host] : hosts_)
    if (!host.asked) first = std::min(first, host.at);
  return first;
}

}  // namespace vmvaultd
