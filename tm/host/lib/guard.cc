// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/agent.h"

using nlohmann::json;

namespace host {
namespace {

constexpr std::chrono::seconds getting_ready{20};

// Runs the guard as a grandchild: whoever waits for our children must not wait for it, and it
// must not get the signals that our terminal or our process group gets.
void start(int in, int out, const std::filesystem::path& words) {
  // Not our stderr: an ssh session lasts as long as somebody holds it.
  const Fd said = open_file(words, O_WRONLY | O_CREAT | O_APPEND);
  const pid_t pid = fork();
  if (pid == -1) throw system_error("start the guard", errno);
  if (pid == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(said.get(), STDERR_FILENO);
    execl("/proc/self/exe", "backup_host", "guard", static_cast<char*>(nullptr));
    _exit(127);
  }
  while (waitpid(pid, nullptr, 0) == -1 && errno == EINTR) {
  }
}

void wait_ready(int fd) {
  pollfd one{fd, POLLIN, 0};
  char word[8] = {};
  const int limit = static_cast<int>(std::chrono::milliseconds{getting_ready}.count());
  if (poll(&one, 1, limit) != 1 || read(fd, word, sizeof word) < 1 || word[0] != 'r')
    throw Error{"the guard that would thaw the guest did not get ready; nothing was frozen"};
}

std::string read_line() {
  std::string line;
  for (char c = 0; read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

Guard::Guard(const Order& order) {
  Pipe in, out;
  start(in.read.get(), out.write.get(), order.log);
  out.write.reset();
  stdin_ = std::move(in.write);
  const json text{{"uri", order.libvirt_uri},
                  {"domain", order.domain},
                  {"how", to_text(order.how)},
                  {"seconds", order.deadline.count()}};
  write_all(stdin_.get(), text.dump() + "\n", "instruct the guard");
  wait_ready(out.read.get());
}

void Guard::dismiss() noexcept {
  [[maybe_unused]] const ssize_t n = write(stdin_.get(), "d", 1);
  stdin_.reset();
}

int run_guard() try {
  const json order = json::parse(read_line(), nullptr, false);
  if (order.is_discarded()) return static_cast<int>(Exit::bad_request);
  Hypervisor hypervisor{order.at("uri")};
  std::cout << "ready" << std::endl;
  pollfd one{STDIN_FILENO, POLLIN, 0};
  const auto limit = std::chrono::seconds{order.at("seconds").get<long>()};
  const int ready = poll(&one, 1, static_cast<int>(std::chrono::milliseconds{limit}.count()));
  char word = 0;
  if (ready == 1 && read(STDIN_FILENO, &word, 1) == 1 && word == 'd') return 0;
  log(Level::error, ready == 1 ? "the backup died while the guest stood still: setting it free"
                               : "the guest stood still for too long: setting it free");
  const Freeze how = parse_freeze(order.at("how").get<std::string>());
  // An agent that sleeps may obey the freeze much later; so this goes on for long.
  return set_free(hypervisor, order.at("domain"), how, std::chrono::minutes{30}) ? 0 : 1;
} catch (const std::exception& e) {
  log(Level::error, std::string{"the guard: "} + e.what());
  return static_cast<int>(Exit::failed);
}

}  // namespace host
