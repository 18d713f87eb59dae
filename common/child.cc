// SPDX-License-Identifier: Apache-2.0
#include "common/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/cancel.h"
#include "common/error.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

extern char** environ;

namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// Our environment, with `ours` in place of whatever has the same name.
std::vector<std::string> inherit(const std::vector<std::string>& ours) {
  std::vector<std::string> all{ours};
  for (char** e = environ; *e; ++e) {
    const std::string_view theirs{*e};
    const auto name = theirs.substr(0, theirs.find('=') + 1);
    if (std::none_of(ours.begin(), ours.end(), [&](auto& o) { return o.starts_with(name); }))
      all.emplace_back(theirs);
  }
  return all;
}

class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&value);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);  // we ignore it; children should not
    // Whoever starts us in the background of a script has these ignored, and a program that finds
    // them so (restic, like all of Go) would keep it, and could not be asked to stop.
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&defaults, signal);
    posix_spawnattr_setsigdefault(&value, &defaults);
    posix_spawnattr_setsigmask(&value, &cancel::original_mask());
    posix_spawnattr_setflags(
        &value, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  Attributes(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&value); }
  posix_spawnattr_t value;
};

class FileActions {
 public:
  FileActions(int in, int out, int err) {
    posix_spawn_file_actions_init(&value);
    posix_spawn_file_actions_adddup2(&value, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&value, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&value, err, STDERR_FILENO);
  }
  FileActions(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&value); }
  posix_spawn_file_actions_t value;
};

}  // namespace

Pipe::Pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) throw system_error("create a pipe", errno);
  read.reset(fds[0]);
  write.reset(fds[1]);
}

Child::Child(const std::vector<std::string>& argv, const std::vector<std::string>& env, int in,
             int out, int err, Stop stop)
    : owner_{getpid()}, stop_{stop} {
  const FileActions files{in, out, err};
  const Attributes attributes;
  const auto environment = inherit(env);
  const int error = posix_spawnp(&pid_, argv.front().c_str(), &files.value, &attributes.value,
                                 pointers(argv).data(), pointers(environment).data());
  if (error != 0) throw system_error("run '" + argv.front() + "'", error);
  exit_.reset(pidfd_open(pid_, 0));
  if (!exit_) {
    const int why = errno;
    this->stop();
    throw system_error("watch '" + argv.front() + "'", why);
  }
}

Child::Child(Child&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)},
      owner_{other.owner_},
      exit_{std::move(other.exit_)},
      stop_{other.stop_} {}

Child::~Child() { stop(); }

// A group that was stopped (SIGSTOP) would not obey before somebody continues it.
void Child::ask(int signal) noexcept {
  if (pid_ == -1) return;
  kill(stop_.whom == Stop::Whom::child ? pid_ : -pid_, signal);
  kill(-pid_, SIGCONT);
}

void Child::stop() noexcept {
  if (pid_ == -1) return;
  if (owner_ != getpid()) {  // its number may be another's any time
    pidfd_send_signal(exit_.get(), stop_.signal, nullptr, 0);
    pid_ = -1;
    return;
  }
  ask(stop_.signal);
  if (!ends_within(stop_.grace) && stop_.then == Stop::Then::leave) {
    pid_ = -1;
    return;
  }
  // Before wait(): until then nobody else can get this number.
  kill(-pid_, SIGKILL);
  // Who waits for a device that does not answer does not die of it, nor does who runs by sudo.
  constexpr std::chrono::seconds last_grace{3};
  if (!ends_within(last_grace)) {
    pid_ = -1;
    return;
  }
  wait();
}

bool Child::ends_within(std::chrono::milliseconds limit) const noexcept {
  const auto end = std::chrono::steady_clock::now() + limit;
  pollfd exited{fd(), POLLIN, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int found =
        exit_ ? poll(&exited, 1, static_cast<int>(std::max<long>(left.count(), 0))) : 1;
    if (found != -1 || errno != EINTR) return found == 1;
  }
}

int Child::wait() {
  if (pid_ == -1) return 0;
  int status = 0;
  while (waitpid(pid_, &status, 0) == -1 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
