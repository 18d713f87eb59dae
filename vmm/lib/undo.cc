// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/undo.h"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <iterator>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"

namespace vmm {
namespace {

// For a step to end by itself, in order: nearly all do.
constexpr std::chrono::milliseconds grace{1000};

bool readable_within(int fd, int other, int milliseconds) {
  pollfd fds[] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
  while (poll(fds, std::size(fds), milliseconds) == -1 && errno == EINTR) {
  }
  return fds[0].revents != 0;
}

}  // namespace

Undo::Undo(State& state, const Step& post, std::string failure)
    : state_{state}, post_{post}, failure_{std::move(failure)} {}

void Undo::also_beside_a_step() {
  beside_ = std::thread{[this] { watch(); }};
}

void Undo::watch() {
  const int over = over_.read.get();
  if (readable_within(over, cancel::fd(), -1)) return;
  state_.enter("undo", post_.deadline);
  if (readable_within(over, -1, static_cast<int>(grace.count()))) return;
  run();
}

void Undo::run() noexcept {
  if (!armed_.exchange(false)) return;
  try {
    state_.enter("undo", post_.deadline);
    post_.input = failure_;
    run_repeatable(post_);
  } catch (const std::exception& e) {
    log(Level::error, "undo: " + std::string{e.what()});
  }
}

void Undo::now() noexcept {
  over_.write.reset();
  if (beside_.joinable()) beside_.join();
  run();
}

bool Undo::commit() {
  const bool in_time = armed_.exchange(false);
  over_.write.reset();
  if (beside_.joinable()) beside_.join();
  return in_time;
}

}  // namespace vmm
