// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/front.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "drivers/vmm/lib/served.h"
#include "drivers/vmm/lib/sieve.h"

namespace front {
namespace {

// More than this of either direction waits where it comes from.
constexpr std::size_t enough = std::size_t{1} << 20;

class Front {
 public:
  Front(const Settings& settings, const std::function<void()>& ready)
      : stock_{settings.stock, {}, in_.read.get(), from_.write.get(), STDERR_FILENO} {
    in_.read.reset();
    from_.write.reset();
    fcntl(in_.write.get(), F_SETFL, O_NONBLOCK);
    fcntl(from_.read.get(), F_SETFL, O_NONBLOCK);
    ready();
    if (!settings.backups) return;
    remotes_ = settings.backups->remotes;
    try {
      backups_.emplace(*settings.backups, out_);
    } catch (const std::exception& e) {  // then the stock driver does it all
      out_.line(mad::log_line('E', -1, std::string{"no backups of vmvault: "} + e.what()));
    }
  }

  int run() {
    while (!step()) {
    }
    if (backups_) backups_->let_go();
    for (bool more = true; more;) {
      drain();
      more = out_.size() >= enough && core_reads_;
      while (core_reads_ && !out_.empty()) core_reads_ = out_.write_some(STDOUT_FILENO);
    }
    return stock_.wait();
  }

 private:
  bool take(const std::string& line);
  bool step();
  void receive();
  void end_of_core();
  void feed();
  void drain();
  bool has_room() const { return out_.size() < enough || !core_reads_; }

  Pipe in_, from_;
  Child stock_;
  Outbound out_;
  std::filesystem::path remotes_;
  std::optional<Backups> backups_;
  Sieve sieve_{[this](const std::string& line) { return take(line); }};
  std::string to_stock_;
  bool core_talks_ = true, core_reads_ = true, asked_ = false;
};

bool Front::take(const std::string& line) {
  const auto message = mad::parse_message(line);
  if (!backups_ || !message || !message->id) return false;
  if (message->verb == "DRIVER_CANCEL") {
    backups_->drop(*message->id);
    return false;  // the stock driver may have something of this id, too
  }
  if (message->payload.empty()) return false;
  if (message->verb == "BACKUPCANCEL") return backups_->cancel(*message);
  if (!serves(message->payload, remotes_)) return false;
  backups_->begin(*message);
  return true;
}

void Front::receive() {
  char buffer[65536];
  const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
  if (n == -1 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) return end_of_core();
  to_stock_ += sieve_.pass({buffer, static_cast<std::size_t>(n)});
}

// The next driver delivers what nobody would hear any more.
void Front::end_of_core() {
  core_talks_ = false;
  to_stock_ += sieve_.rest();
  if (backups_) backups_->let_go();
  backups_.reset();
}

void Front::feed() {
  while (in_.write && !to_stock_.empty()) {
    const ssize_t n = write(in_.write.get(), to_stock_.data(), to_stock_.size());
    if (n == -1 && (errno == EAGAIN || errno == EINTR)) return;
    if (n == -1) in_.write.reset();
    if (n > 0) to_stock_.erase(0, static_cast<std::size_t>(n));
  }
  if (!in_.write) to_stock_.clear();
  if (!core_talks_) in_.write.reset();
}

void Front::drain() {
  char buffer[65536];
  while (from_.read && has_room()) {
    const ssize_t n = read(from_.read.get(), buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1 && errno == EAGAIN) return;
    if (n <= 0) return from_.read.reset();
    if (core_reads_) out_.stock({buffer, static_cast<std::size_t>(n)});
  }
}

// True when the stock driver has ended.
bool Front::step() {
  std::vector<pollfd> fds{{stock_.fd(), POLLIN, 0},
                          {core_talks_ && to_stock_.size() < enough ? STDIN_FILENO : -1, POLLIN, 0},
                          {asked_ ? -1 : cancel::fd(), POLLIN, 0},
                          {to_stock_.empty() ? -1 : in_.write.get(), POLLOUT, 0},
                          {has_room() ? from_.read.get() : -1, POLLIN, 0},
                          {out_.empty() || !core_reads_ ? -1 : STDOUT_FILENO, POLLOUT, 0}};
  if (backups_) backups_->watch(fds);
  if (poll(fds.data(), fds.size(), backups_ ? backups_->timeout() : -1) == -1) return false;
  if (fds[1].revents != 0) receive();
  if (fds[2].revents != 0) {
    asked_ = true;
    stock_.ask(SIGTERM);
  }
  feed();
  drain();
  if (fds[5].revents != 0) core_reads_ = out_.write_some(STDOUT_FILENO);
  if (backups_) backups_->advance();
  if (!core_reads_ && core_talks_) end_of_core();
  return fds[0].revents != 0;
}

}  // namespace

int run(const Settings& settings, const std::function<void()>& ready) {
  return Front{settings, ready}.run();
}

}  // namespace front
