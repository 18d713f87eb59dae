// SPDX-License-Identifier: Apache-2.0
// Runs a store's program on the machine that holds the data, for an action on another one.
//
// The request is one line of base64 on stdin (datastore/lib/machine.h), which the caller then holds
// open: when it closes, the program is asked to end by SIGINT, which restic and its kind take as
// "undo and go".  Its output is ours, and so is its status.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <thread>

#include "common/cancel.h"
#include "common/command.h"
#include "common/confine.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/file.h"
#include "common/mount.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/request_line.h"
#include "datastore/lib/machine.h"

namespace {

constexpr std::size_t longest_request = std::size_t{1} << 20;
// A slow store can keep restic from obeying for long, and somebody waits for the end: it gets a
// third of the time that a cancellation has.  Its ssh must not hear of it, since by that restic
// removes its lock.
Stop interrupt() {
  const auto limit = parse_int(setting("RESTIC_CANCEL_LIMIT").value_or(""), 1);
  const std::chrono::milliseconds third{limit ? *limit * std::int64_t{1000} / 3 : 1500};
  return {SIGINT, third, Stop::Whom::child};
}

// Under the limits of the request, as far as this machine has them.
std::vector<std::string> confined(const RunRequest& request) {
  auto line = request.command_line();
  if (!request.order) return line;
  auto place = confine::enter(*request.order);
  if (const auto words = confine::complaint(place); !words.empty()) log(Level::warn, words);
  line.insert(line.begin(), place.prefix.begin(), place.prefix.end());
  return line;
}

// Beside its temporary files, a program needs memory of its own.
constexpr std::uint64_t own_memory_mb = 512;

void place_temporary_files(const RunRequest& request, Command& command) {
  const auto& place = request.temporary;
  if (!place) return;
  auto why = place->unfit();
  const auto limit = request.order ? request.order->limits.memory_mb : std::nullopt;
  if (why.empty() && limit && static_cast<std::uint64_t>(*limit) < place->needed_mb + own_memory_mb)
    why = "the limit of memory leaves no room for them";
  if (why.empty())
    command.env("TMPDIR", place->path.string());
  else
    log(Level::warn, "temporary files are written to the disk: " + why);
}

// What our own end does to the program: it must not store what nobody hears of.
std::vector<std::string> with_our_end(std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"setpriv", "--pdeathsig", "KILL", "--"});
  return argv;
}

// Our stdout from its other side, if it is a pipe: as long as we hold it, a program that writes
// there does not break (SIGPIPE) before it can undo, though whoever read it is gone.
Fd other_side_of_stdout() { return Fd{open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK | O_CLOEXEC)}; }

// Breaks the view at a cancellation, until the object goes.
class ViewBreaker {
 public:
  explicit ViewBreaker(std::string view) {
    if (!view.empty()) thread_ = std::jthread{[this, at = std::move(view)] { wait_for(at); }};
  }
  ~ViewBreaker() { over_.write.reset(); }

 private:
  static void break_view(const std::string& view) noexcept try {
    const auto mount = mount_on(view);
    if (mount && mount->type == "fuse.vmvault") break_fuse(view, *mount);
  } catch (const std::exception& error) {
    std::cerr << one_line(error.what()) << '\n';
  }

  void wait_for(const std::string& view) {
    pollfd fds[] = {{over_.read.get(), POLLIN, 0},
                    {cancel::fd(), POLLIN, 0},
                    {cancel::watched(), POLLRDHUP, 0}};
    while (poll(fds, std::size(fds), -1) == -1 && errno == EINTR) {
    }
    if (fds[0].revents == 0) break_view(view);
  }

  Pipe over_;
  std::jthread thread_;
};

int serve() {
  const auto request = RunRequest::decode(read_request_line(STDIN_FILENO, longest_request));
  cancel::watch(STDIN_FILENO);
  if (!request.list.empty()) {
    write_all(STDOUT_FILENO, to_json(list_directory(request.list)) + "\n", "write the list");
    return 0;
  }
  const ViewBreaker breaker{request.view};
  const Fd reader = request.lines ? Fd{} : other_side_of_stdout();
  Command command{with_our_end(confined(request))};
  for (const auto& [name, value] : request.env) command.env(name, value);
  place_temporary_files(request, command);
  if (!request.input.empty()) command.input(request.input).hold_input();
  if (request.lines)
    command.out_lines([](std::string_view line) { std::cout << line << std::endl; });
  else
    command.write_to(STDOUT_FILENO);
  const int status = command.err_lines([](std::string_view line) { std::cerr << line << '\n'; })
                         .stop_with(interrupt())
                         .run()
                         .status;
  // Of setpriv or the like; whoever asked knows this number as our own absence over there.
  if (status == 127) throw Error{"cannot run '" + request.argv.front() + "'"};
  return status;
}

}  // namespace

int main() {
  try {
    cancel::install();
    forbid_core_dumps();
    const int status = serve();
    confine::leave();
    return status;
  } catch (const Error& error) {
    std::cerr << one_line(error.what()) << '\n';
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << one_line(error.what()) << '\n';
    return static_cast<int>(Exit::failed);
  }
}
