// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iterator>

#include "common/cancel.h"
#include "common/child.h"
#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/exporter.h"
#include "tm/host/lib/view.h"

namespace host {
namespace {

// Neither the caller's terminal nor its pipes: whoever waits for their end must not wait for us.
void detach(const Capture& capture) {
  setsid();
  cancel::watch(-1);
  const Fd null = open_file("/dev/null", O_RDONLY);
  const Fd words =
      open_file(capture.request.vm_dir / "backup.log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  dup2(null.get(), STDIN_FILENO);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(words.get(), fd);
}

[[noreturn]] void become_exporter(Handover& what, int ready) {
  try {
    detach(what.capture);
    _exit(run_exporter(what, ready));
  } catch (const std::exception& e) {
    log(Level::error, e.what());
  }
  _exit(1);
}

void wait_for(pid_t pid) {
  while (waitpid(pid, nullptr, 0) == -1 && errno == EINTR) {
  }
}

// What the exporter says first: "ready", or why not.
std::string first_words(int fd) {
  std::string said;
  char buffer[4096];
  for (;;) {
    pollfd fds[] = {{fd, POLLIN, 0}, {cancel::fd(), POLLIN, 0}, {cancel::watched(), POLLRDHUP, 0}};
    poll(fds, std::size(fds), -1);
    cancel::check();
    if (fds[0].revents == 0) continue;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) return said;
    said.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

void serve(Handover& what) {
  Pipe ready;
  const pid_t pid = fork();
  if (pid == -1) throw system_error("start the exporter", errno);
  if (pid == 0) {
    ready.read.reset();
    become_exporter(what, ready.write.get());
  }
  ready.write.reset();
  try {
    const std::string said = first_words(ready.read.get());
    if (said == "ready") {
      // Theirs now: a destructor here would undo it.  Kept reachable, so that it is no leak.
      [[maybe_unused]] static Origin* volatile given_away;
      given_away = what.origin.release();
      what.capture.guard.leave();
      return;
    }
    wait_for(pid);
    throw Error{said.empty() ? "the exporter of the view died" : said};
  } catch (const Cancelled&) {
    kill(pid, SIGKILL);  // we undo ourselves
    wait_for(pid);
    unmount_view(what.capture.request.backup_dir);
    throw;
  }
}

}  // namespace host
