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
#include "tm/host/lib/recover.h"
#include "tm/host/lib/view.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

namespace host {
namespace {

// Neither the caller's terminal nor its pipes: whoever waits for their end must not wait for us.
void detach(const Capture& capture) {
  setsid();
  cancel::watch(-1);
  const Fd null = open_file("/dev/null", O_RDONLY);
  const Fd words = open_file(capture.request.vm_dir / "backup.log", O_WRONLY | O_CREAT | O_APPEND);
  dup2(null.get(), STDIN_FILENO);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) dup2(words.get(), fd);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  return status;
}

// Starts the exporter, and cleans up after it if it cannot do so itself.
int guard(Handover& what, int ready) {
  detach(what.capture);
  const Fd self{pidfd_open(getpid(), 0)};
  const pid_t exporter = fork();
  if (exporter == 0) _exit(run_exporter(what, ready, self.get()));
  close(ready);
  if (exporter == -1) return 1;
  const int status = wait_for(exporter);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  if (code == 0 || code == never_ready) return code;
  log(Level::error,
      "the exporter died: ending the backup of VM " + std::to_string(what.capture.request.vm.id));
  pay_debts(what.capture.request.vm_dir);
  return 1;
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
    try {
      _exit(guard(what, ready.write.get()));
    } catch (const std::exception& e) {
      log(Level::error, e.what());
    }
    _exit(1);
  }
  ready.write.reset();
  try {
    const std::string said = first_words(ready.read.get());
    if (said == "ready") {
      // Theirs now: a destructor here would undo it.  Kept reachable, so that it is no leak.
      [[maybe_unused]] static Origin* volatile given_away;
      given_away = what.origin.release();
      return;
    }
    wait_for(pid);
    throw Error{said.empty() ? "the exporter of the view died" : said};
  } catch (const Cancelled&) {
    kill(pid, SIGKILL);
    kill(-pid, SIGKILL);  // the exporter, too: we undo ourselves
    wait_for(pid);
    unmount_view(what.capture.request.backup_dir);
    throw;
  }
}

}  // namespace host
