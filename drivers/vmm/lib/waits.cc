// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/waits.h"

#include <poll.h>

#include <chrono>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/core.h"

using Clock = std::chrono::steady_clock;

namespace front {
namespace {

constexpr std::chrono::minutes limit{5};

void rest(std::chrono::milliseconds time) {
  pollfd cancelled{cancel::fd(), POLLIN, 0};
  poll(&cancelled, 1, static_cast<int>(time.count()));
  cancel::check();
}

}  // namespace

Waits core_waits_for(std::int64_t vm_id) {
  const auto end = Clock::now() + limit;
  for (;;) try {
      const auto state = vm_from_core(static_cast<int>(vm_id)).root().find_number("LCM_STATE");
      if (state != 69 && state != 70) return Waits::no;
      rest(std::chrono::seconds{1});
      return Waits::yes;
    } catch (const Cancelled&) {
      throw;
    } catch (const Error&) {
      if (Clock::now() >= end) return Waits::unknown;
      rest(std::chrono::seconds{2});
    }
}

}  // namespace front
