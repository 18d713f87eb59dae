// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/inbox.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <optional>

namespace vmvaultd {

Inbox::Inbox() : wake_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  if (!wake_) throw system_error("make an eventfd", errno);
}

void Inbox::put(std::function<void()> work) {
  const std::lock_guard lock{mutex_};
  if (closed_) return;  // its reply goes with it
  works_.push_back(std::move(work));
  eventfd_write(wake_.get(), 1);
}

void Inbox::work() {
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
  const auto next = [this]() -> std::optional<std::function<void()>> {
    const std::lock_guard lock{mutex_};
    if (works_.empty()) return std::nullopt;
    auto first = std::move(works_.front());
    works_.pop_front();
    return first;
  };
  while (auto one = next()) try {
      (*one)();
    } catch (const BadRequest&) {  // who has asked knows it
    } catch (...) {
      eventfd_write(wake_.get(), 1);
      throw;
    }
}

void Inbox::close() {
  std::deque<std::function<void()>> left;
  const std::lock_guard lock{mutex_};
  closed_ = true;
  left.swap(works_);
}

}  // namespace vmvaultd
