// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/watching.h"

#include <poll.h>

#include "common/cancel.h"
#include "common/error.h"
#include "drivers/cli/lib/display.h"

namespace cli {

void pause() {
  constexpr int milliseconds = 500;
  pollfd fds[] = {{cancel::fd(), POLLIN, 0}};
  poll(fds, 1, milliseconds);
  cancel::check();
}

std::optional<ProgressReport> progress_in(const Element& parent) {
  const auto done = parent.number("DONE"), total = parent.number("TOTAL");
  if (done < 0 || total < 0) return std::nullopt;
  return ProgressReport{.step = one_line(parent.text("STEP")),
                        .done = static_cast<std::uint64_t>(done),
                        .total = static_cast<std::uint64_t>(total)};
}

void tell(Meter& meter, const std::optional<ProgressReport>& progress) {
  if (!progress) return;
  if (const auto line = meter.line(*progress, Meter::Time::clock::now())) note(*line);
}

}  // namespace cli
