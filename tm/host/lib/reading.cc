// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/reading.h"

#include <algorithm>
#include <string>

#include "common/error.h"
#include "common/number.h"

namespace host {
namespace {

// Of a backup, as long as it has no more disks.
constexpr int connections_of_all = 4;
constexpr int usual_parallel = 4;
constexpr int ahead_of_all = 16;

// The core's attributes say -1 for no limit.
std::uint64_t rate(const HostRequest& request, const std::string& name) {
  const std::string text = request.setting(name, "-1");
  if (text == "-1") return 0;
  if (const auto value = nbd::parse_rate(text)) return *value;
  throw BadRequest{"the setting " + name + " is no rate: '" + one_line(text) + "'"};
}

int bounded(const HostRequest& request, const std::string& name, int fallback) {
  constexpr int most = 64;
  if (const auto number = parse_int(request.setting(name, std::to_string(fallback)), 1, most))
    return *number;
  throw BadRequest{"the setting " + name + " is not one of 1 to " + std::to_string(most)};
}

}  // namespace

Reading Reading::of(const HostRequest& request, std::size_t disks) {
  const int count = static_cast<int>(disks);
  Reading out{};
  out.parallel = std::min(count, bounded(request, "DISKS_PARALLEL", usual_parallel));
  out.connections = bounded(request, "CONNECTIONS", std::max(1, connections_of_all / out.parallel));
  out.ahead = std::max(2, ahead_of_all / count);
  out.deadline =
      std::chrono::seconds{std::max<std::int64_t>(1, request.number("READ_DEADLINE", 120))};
  const nbd::Limiter::Rates rates{.bytes_per_second = rate(request, "READ_BWLIMIT"),
                                  .requests_per_second = rate(request, "MAX_RIOPS")};
  if (rates.bytes_per_second != 0 || rates.requests_per_second != 0)
    out.limiter = std::make_shared<nbd::Limiter>(rates);
  return out;
}

}  // namespace host
