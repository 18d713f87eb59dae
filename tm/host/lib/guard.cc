// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "tm/host/lib/guard_words.h"

using nlohmann::json;

namespace host {
namespace {

constexpr int guard_lock = STDERR_FILENO + 1;  // the lock's descriptor in the guard
constexpr std::chrono::seconds getting_ready{30};
constexpr std::chrono::seconds ending{5};

// As a grandchild: whoever waits for our children must not wait for it, and it must not get the
// signals that our terminal or our process group gets.
void start(int socket, int lock, const std::filesystem::path& words) {
  // Not our stderr: an ssh session lasts as long as somebody holds it.
  const Fd said = open_file(words, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  const Fd null = open_file("/dev/null", O_RDWR);
  const pid_t pid = fork();
  if (pid == -1) throw system_error("start the guard", errno);
  if (pid == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    dup2(socket, STDIN_FILENO);
    dup2(null.get(), STDOUT_FILENO);
    dup2(said.get(), STDERR_FILENO);
    // The lock stays, and nothing else that we came with: others may wait for its end.
    if (lock == guard_lock)
      fcntl(lock, F_SETFD, 0);
    else
      dup2(lock, guard_lock);
    close_range(guard_lock + 1, ~0U, 0);
    execl("/proc/self/exe", "backup_host", "guard", static_cast<char*>(nullptr));
    _exit(127);
  }
  while (waitpid(pid, nullptr, 0) == -1 && errno == EINTR) {
  }
}

bool speaks_within(int socket, std::chrono::milliseconds limit) {
  pollfd one{socket, POLLIN, 0};
  return poll(&one, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace

Guard::Guard(const Order& order) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    throw system_error("talk to the guard", errno);
  socket_ = Fd{pair[0]};
  {
    const Fd other{pair[1]};
    start(other.get(), order.lock, order.vm_dir / "backup.log");
  }
  say(socket_.get(), {{"vm_dir", order.vm_dir.string()}, {"uri", order.libvirt_uri}});
  const auto ready =
      speaks_within(socket_.get(), getting_ready) ? listen_to(socket_.get()) : std::nullopt;
  if (!ready) throw Error{"the guard of the backup did not get ready: nothing was begun"};
  if (ready->contains("verdict")) throw Error{ready->at("verdict").get<std::string>()};
  pid_ = ready->at("ready");
}

Guard::~Guard() {
  if (!socket_) return;
  shutdown(socket_.get(), SHUT_WR);
  // Until it is gone it holds the lock, and the next one would be refused.
  while (speaks_within(socket_.get(), ending) && listen_to(socket_.get())) {
  }
}

void Guard::standing_still(Freeze how, const std::string& domain, std::chrono::seconds limit) {
  const json words{{"freeze", to_text(how)}, {"domain", domain}, {"seconds", limit.count()}};
  if (!say(socket_.get(), words)) check();
}

void Guard::freed() noexcept { say(socket_.get(), {{"freed", true}}); }

void Guard::watch(const std::filesystem::path& scratch, std::uint64_t floor) {
  if (!say(socket_.get(), {{"scratch", scratch.string()}, {"floor", floor}})) check();
}

void Guard::check() {
  while (!dead_ && speaks_within(socket_.get(), std::chrono::milliseconds{0})) {
    const auto words = listen_to(socket_.get());
    dead_ = !words;
    const auto what = words ? words->value("verdict", "") : "the guard of the backup died";
    if (verdict_.empty()) verdict_ = what;
  }
  if (!verdict_.empty()) throw Error{verdict_};
}

}  // namespace host
