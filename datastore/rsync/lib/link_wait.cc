// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_wait.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"

namespace rsync {

using std::chrono::milliseconds;

bool Patience::wait(std::span<pollfd> fds, milliseconds at_most) {
  std::vector<pollfd> all{fds.begin(), fds.end()};
  if (!terms_.shielded) {
    all.push_back({cancel::fd(), POLLIN, 0});
    all.push_back({cancel::watched(), POLLRDHUP, 0});
  }
  const auto give_up =
      terms_.silence.count() == 0 ? Clock::time_point::max() : last_ + terms_.silence;
  const auto end = at_most == forever ? Clock::time_point::max() : Clock::now() + at_most;
  for (;;) {
    const auto next = std::min(give_up, end);
    milliseconds left = forever;
    if (next != Clock::time_point::max())
      left = std::clamp(std::chrono::ceil<milliseconds>(next - Clock::now()), milliseconds{0},
                        milliseconds{1 << 30});
    const int ready = poll(all.data(), all.size(), static_cast<int>(left.count()));
    if (ready == -1 && errno != EINTR) throw system_error("wait for " + whom_, errno);
    if (!terms_.shielded) cancel::check();
    if (ready > 0) break;
    if (Clock::now() >= give_up)
      throw Error{"nothing has come from " + whom_ + " and it has taken nothing for " +
                  std::to_string(std::chrono::ceil<std::chrono::seconds>(terms_.silence).count()) +
                  " s"};
    if (Clock::now() >= end) return false;
  }
  std::copy_n(all.begin(), fds.size(), fds.begin());
  return true;
}

}  // namespace rsync
