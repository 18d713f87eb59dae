// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_pool.h"

#include <algorithm>

#include "common/error.h"

namespace mad {

void Pool::cancel(std::int64_t id) {
  std::erase_if(waiting_, [&](const Task& task) { return task.id == id; });
  for (auto& running : running_) {
    if (running.task.id != id || running.cancelled) continue;
    running.cancelled = true;
    running.work->stop();
  }
}

void Pool::watch(std::vector<pollfd>& fds) const {
  for (const auto& running : running_) running.work->watch(fds);
}

int Pool::timeout() const {
  std::optional<Clock::time_point> first;
  for (const auto& running : running_)
    if (const auto alarm = running.work->alarm(); alarm && (!first || *alarm < *first))
      first = alarm;
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1 << 30));
}

bool Pool::go_on(Running& running, const Outcome* last) {
  if (running.cancelled) return false;
  running.work.reset();
  std::string error;
  for (;;) {
    auto order = running.task.next(error.empty() ? last : nullptr, error);
    if (!order) return false;
    try {
      running.work.emplace(*std::move(order), running.task.said);
      if (limit_) running.work->limit(Clock::now() + *limit_);
      return true;
    } catch (const Error& e) {
      error = e.what();
    }
  }
}

void Pool::advance() {
  for (auto at = running_.begin(); at != running_.end();) {
    const auto outcome = at->work->advance();
    at = outcome && !go_on(*at, &*outcome) ? running_.erase(at) : std::next(at);
  }
  const auto next = [this] {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [this](const Task& task) { return has_place(task); });
  };
  for (auto at = next(); at != waiting_.end(); at = next()) {
    running_.push_back({.task = std::move(*at)});
    waiting_.erase(at);
    if (!go_on(running_.back(), nullptr)) running_.pop_back();
  }
}

bool Pool::has_place(const Task& task) const {
  const auto beside = std::count_if(running_.begin(), running_.end(), [&](const Running& running) {
    return running.task.kind == task.kind;
  });
  return static_cast<std::size_t>(beside) < most_;
}

void Pool::let_go() noexcept {
  for (auto& running : running_) running.work->let_go();
}

}  // namespace mad
