// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "common/ended.h"
#include "common/error.h"

namespace vmvaultd {
namespace {

// A line may be long, but not without end.
constexpr std::size_t longest_line = std::size_t{64} << 20;

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

}  // namespace

Driver::Driver(Settings settings, Events events)
    : settings_{std::move(settings)}, events_{std::move(events)}, pause_{settings_.first_pause} {}

Driver::~Driver() { stop(); }

void Driver::start() {
  if (phase_ != Phase::stopped) return;
  phase_ = Phase::resting;
  alarm_ = Clock::now();
}

void Driver::begin() {
  Pipe in, out;
  lines_ = {};
  received_ = 0;
  to_send_ = "INIT\n";
  try {
    // The driver alone: what it runs ends by itself, or outlives it.
    child_ = std::make_unique<Child>(settings_.argv, settings_.env, in.read.get(), out.write.get(),
                                     STDERR_FILENO, Stop{.whom = Stop::Whom::child});
  } catch (const Error& error) {
    return lose(error.what());
  }
  in_ = std::move(in.write);
  out_ = std::move(out.read);
  for (const Fd* fd : {&in_, &out_}) fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  phase_ = Phase::starting;
  alarm_ = Clock::now() + settings_.patience;
  feed();
}

bool Driver::send(const std::string& verb, std::int64_t id, const std::string& payload) {
  if (phase_ != Phase::ready || !in_) return false;
  to_send_ += verb + "  " + std::to_string(id) + " " + payload + "\n";
  feed();
  return true;
}

std::optional<Driver::Clock::time_point> Driver::alarm() const {
  return phase_ == Phase::dying ? std::nullopt : alarm_;
}

void Driver::watch(std::vector<pollfd>& fds) const {
  if (child_) fds.push_back({child_->fd(), POLLIN, 0});
  if (out_) fds.push_back({out_.get(), POLLIN, 0});
  if (in_ && !to_send_.empty()) fds.push_back({in_.get(), POLLOUT, 0});
}

void Driver::advance() {
  const auto now = Clock::now();
  if (child_) {
    const bool ended = is_readable(child_->fd());  // before the last look at what it wrote
    feed();
    drain();
    if (ended) return bury();
  }
  if (!alarm() || now < *alarm_) return;
  alarm_.reset();
  if (phase_ == Phase::resting) return begin();
  lose(out_ ? "it does not answer" : "it says nothing any more");
}

void Driver::feed() {
  while (in_ && !to_send_.empty()) {
    const ssize_t n = write(in_.get(), to_send_.data(), to_send_.size());
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n == -1) return in_.reset();  // its end will be seen
    to_send_.erase(0, static_cast<std::size_t>(n));
  }
}

void Driver::drain() {
  char buffer[65536];
  // As much as the largest pipe holds: others are waited for, too.
  for (std::size_t got = 0; out_ && got < std::size_t{1} << 20;) {
    const ssize_t n = read(out_.get(), buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n <= 0) {
      out_.reset();
      in_.reset();  // it ends now, or is made to
      if (phase_ != Phase::dying) alarm_ = Clock::now() + settings_.patience;
      return;
    }
    got += static_cast<std::size_t>(n);
    lines_.add({buffer, static_cast<std::size_t>(n)});
    received_ += static_cast<std::size_t>(n);
    while (const auto line = lines_.next()) {
      received_ = 0;
      if (phase_ != Phase::dying) take(*line);
    }
    if (received_ > longest_line) return lose("it says a line without an end");
  }
}

void Driver::take(const std::string& line) {
  const auto said = mad::parse_driver_line(line);
  if (!said) return;
  if (const auto* log = std::get_if<LogLine>(&*said)) {
    if (events_.log) events_.log(*log);
    return;
  }
  const auto& answer = std::get<Answer>(*said);
  if (answer.verb != "INIT") {
    if (phase_ == Phase::ready && events_.answer) events_.answer(answer);
  } else if (phase_ == Phase::starting) {
    if (!answer.good) return lose("it cannot work: " + answer.info);
    phase_ = Phase::ready;
    alarm_.reset();
    ready_since_ = Clock::now();
    if (events_.ready) events_.ready();
  }
}

// It is of no use any more, but it may still be there.
void Driver::lose(const std::string& why) {
  if (phase_ == Phase::ready && Clock::now() - ready_since_ >= settings_.longest_pause)
    pause_ = settings_.first_pause;
  phase_ = child_ ? Phase::dying : Phase::resting;
  alarm_ = Clock::now() + pause_;
  pause_ = std::min(2 * pause_, settings_.longest_pause);
  in_.reset();
  to_send_.clear();
  if (child_) child_->ask(SIGKILL);
  ++losses_;
  if (events_.lost) events_.lost("the driver " + settings_.name + " is gone: " + why);
}

void Driver::bury() {
  const int status = child_->wait();
  child_.reset();
  out_.reset();
  if (phase_ != Phase::dying) lose(ended("it", status));
  phase_ = Phase::resting;
}

void Driver::stop(Duration grace) {
  in_.reset();
  alarm_.reset();
  const auto end = Clock::now() + grace;
  phase_ = Phase::dying;  // nobody hears what it still says
  while (child_ && !is_readable(child_->fd()) && Clock::now() < end) {
    std::vector<pollfd> fds;
    watch(fds);
    const auto left = std::chrono::ceil<Duration>(end - Clock::now()).count();
    poll(fds.data(), fds.size(), static_cast<int>(std::max<Duration::rep>(left, 0)));
    drain();
  }
  if (child_) {
    child_->ask(SIGKILL);
    child_->wait();
  }
  child_.reset();
  out_.reset();
  phase_ = Phase::stopped;
}

}  // namespace vmvaultd
