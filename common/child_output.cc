// SPDX-License-Identifier: Apache-2.0
#include "common/child_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t longest_message = 64 << 10;
constexpr std::size_t most_passed = 4 * mebibyte, most_kept = mebibyte;

// As much as the largest pipe holds: whoever writes faster than we read waits for his next turn.
template <class Take>
void read_some(Fd& fd, const Take& take) {
  char buffer[65536];
  for (std::size_t got = 0; fd && got < mebibyte;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n == -1 && errno == EAGAIN) return;
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) return fd.reset();
    take(std::string_view{buffer, static_cast<std::size_t>(n)});
    got += static_cast<std::size_t>(n);
  }
}

}  // namespace

ChildOutput::ChildOutput(Fd fd, std::size_t most, const ChildLine& line)
    : fd_{std::move(fd)}, most_{most}, line_{line} {
  fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
}

void ChildOutput::drain() {
  read_some(fd_, [this](std::string_view bytes) { take(bytes); });
}

void ChildOutput::take(std::string_view bytes) {
  if (overflows_) return;
  text_ += bytes;
  if (line_) {
    std::size_t begin = 0;
    for (std::size_t end; (end = text_.find('\n', begin)) != text_.npos; begin = end + 1)
      line_(std::string_view{text_}.substr(begin, end - begin));
    text_.erase(0, begin);
  }
  overflows_ = text_.size() > most_;
}

std::string ChildOutput::finish() {
  drain();
  if (!line_) return std::move(text_);
  if (!text_.empty() && !overflows_) line_(text_);
  return "";
}

ChildMessages::ChildMessages(Fd fd, const ChildLine& line) : fd_{std::move(fd)}, line_{line} {
  fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
}

void ChildMessages::drain() {
  read_some(fd_, [this](std::string_view bytes) { take(bytes); });
}

void ChildMessages::take(std::string_view bytes) {
  text_ += bytes;
  if (text_.size() > 2 * most_kept) text_.erase(0, text_.size() - most_kept);
  if (!line_) return;
  partial_ += bytes;
  std::size_t begin = 0;
  for (std::size_t end; (end = partial_.find('\n', begin)) != partial_.npos; begin = end + 1)
    pass(std::string_view{partial_}.substr(begin, end - begin));
  partial_.erase(0, begin);
  if (partial_.size() > longest_message) {
    pass(partial_);
    partial_.clear();
  }
}

void ChildMessages::pass(std::string_view line) {
  if (passed_ > most_passed) return;
  passed_ += line.size() + 1;
  line_(line);
  if (passed_ > most_passed) line_("WARN: what it says besides is too much, and left out");
}

std::string ChildMessages::finish() {
  drain();
  if (line_ && !partial_.empty()) pass(partial_);
  return std::move(text_);
}
