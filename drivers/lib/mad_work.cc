// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_work.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace mad {
namespace {

// To undo takes a while; nobody waits for it but a place in the queue.
constexpr std::chrono::seconds grace{60};

// What the core has to read of one program.
constexpr std::size_t most = std::size_t{64} << 20, most_said = std::size_t{4} << 20;

}  // namespace

Work::Work(Order order, Line said)
    : Work{std::move(order), std::move(said), Pipe{}, Pipe{}, Pipe{}} {}

Work::Work(Order&& order, Line&& said, Pipe&& in, Pipe&& out, Pipe&& err)
    : order_{std::move(order)},
      said_{std::move(said)},
      child_{std::make_unique<Child>(order_.argv, std::vector<std::string>{}, in.read.get(),
                                     out.write.get(), err.write.get())},
      in_{std::move(in.write)},
      out_{std::move(out.read)},
      err_{std::move(err.read)} {
  for (const Fd* fd : {&in_, &out_, &err_}) fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  feed();
}

void Work::watch(std::vector<pollfd>& fds) const {
  fds.push_back({child_->fd(), POLLIN, 0});
  if (in_) fds.push_back({in_.get(), POLLOUT, 0});
  if (out_) fds.push_back({out_.get(), POLLIN, 0});
  if (err_) fds.push_back({err_.get(), POLLIN, 0});
}

void Work::feed() {
  while (in_ && fed_ < order_.input.size()) {
    const ssize_t n = write(in_.get(), order_.input.data() + fed_, order_.input.size() - fed_);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n == -1) break;  // it does not want the rest
    fed_ += static_cast<std::size_t>(n);
  }
  in_.reset();
}

void Work::drain(Fd& fd, std::string& text) {
  char buffer[65536];
  // As much as the largest pipe holds: others are waited for, too.
  for (std::size_t got = 0; fd && got < std::size_t{1} << 20;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n <= 0) return fd.reset();
    if (text.size() < most) text.append(buffer, static_cast<std::size_t>(n));
    got += static_cast<std::size_t>(n);
  }
}

void Work::pass_lines(bool all) {
  std::size_t begin = 0;
  for (std::size_t end; (end = err_text_.find('\n', begin)) != err_text_.npos; begin = end + 1)
    pass(std::string_view{err_text_}.substr(begin, end - begin));
  err_text_.erase(0, begin);
  if (all && !err_text_.empty()) pass(err_text_);
}

void Work::pass(std::string_view line) {
  if (passed_ > most_said) return;
  passed_ += line.size() + 1;
  said_(line);
  if (passed_ > most_said) said_("WARN: what it says besides is too much, and left out");
}

std::optional<Outcome> Work::advance() {
  pollfd end{child_->fd(), POLLIN, 0};
  const bool ended = poll(&end, 1, 0) == 1;  // before the last look at what it wrote
  feed();
  drain(out_, outcome_.out);
  drain(err_, err_text_);
  pass_lines(ended);
  if (ended) {
    if (asked_) child_->ask(SIGKILL);  // its group, as long as nobody else can have that number
    outcome_.status = child_->wait();
    return std::move(outcome_);
  }
  if (alarm_ && Clock::now() >= *alarm_) {
    if (asked_)
      child_->ask(SIGKILL);
    else
      outcome_.late = true;
    stop();
  }
  return std::nullopt;
}

void Work::stop() {
  if (!asked_) child_->ask(SIGTERM);
  asked_ = true;
  alarm_ = Clock::now() + grace;
}

void Work::let_go() noexcept {
  static auto& left = *new std::vector<std::unique_ptr<Child>>;  // whose end would be theirs
  left.push_back(std::move(child_));
}

}  // namespace mad
