// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/outbound.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace front {

void Outbound::stock(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto last = bytes.rfind('\n');
  const auto whole = last == bytes.npos ? 0 : last + 1;
  queue_ += bytes.substr(0, whole);
  queued_ += whole;
  if (whole > 0) {
    begun_ = at_line_start_ = true;
    release();
  }
  bytes.remove_prefix(whole);
  queue_ += bytes;
  queued_ += bytes.size();
  if (!bytes.empty()) at_line_start_ = false;
}

void Outbound::line(std::string text, std::function<void()> written) {
  held_.push_back({std::move(text), std::move(written)});
  release();
}

void Outbound::release() {
  for (; begun_ && at_line_start_ && !held_.empty(); held_.pop_front()) {
    queue_ += held_.front().text;
    queued_ += held_.front().text.size();
    if (held_.front().written) marks_.emplace_back(queued_, std::move(held_.front().written));
  }
}

bool Outbound::write_some(int fd) {
  // So much a pipe takes without making us wait, once it takes anything.
  const ssize_t n = write(fd, queue_.data() + gone_, std::min<std::size_t>(size(), PIPE_BUF));
  if (n == -1) return errno == EINTR || errno == EAGAIN;
  gone_ += static_cast<std::size_t>(n);
  sent_ += static_cast<std::size_t>(n);
  if (gone_ == queue_.size() || gone_ > queue_.size() / 2) {
    queue_.erase(0, gone_);
    gone_ = 0;
  }
  while (!marks_.empty() && marks_.front().first <= sent_) {
    const auto written = std::move(marks_.front().second);
    marks_.pop_front();
    written();
  }
  return true;
}

}  // namespace front
