// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include "common/cancel.h"
#include "common/command.h"
#include "common/error.h"
#include "common/process.h"

namespace fs = std::filesystem;

namespace nbd {
namespace {

fs::path log_of(const fs::path& socket) { return socket.string() + ".log"; }

// A cluster watches who has an image open, and lets whoever makes a snapshot of it wait for a
// client that was killed, for half a minute: so those that read from Ceph are never killed.  Their
// names say that they do not wait for ever (rbd::qemu_name).
bool is_watched(std::string_view image) { return image.starts_with("rbd:"); }

Child start(const Server::Order& order, const fs::path& socket) {
  std::vector<std::string> argv{"qemu-nbd",   "--read-only",   "--shared=16",
                                "--socket",   socket,          "--format",
                                order.format, "--export-name", order.export_name};
  if (order.bitmap) argv.insert(argv.end(), {"--bitmap", *order.bitmap});
  if (order.layers) argv.push_back("--allocation-depth");
  argv.insert(argv.end(), {"--", order.image});
  const Fd null = open_file("/dev/null", O_RDWR);
  const Fd words = open_file(log_of(socket), O_WRONLY | O_CREAT | O_TRUNC);
  // It only reads, so nothing is lost with it; and one whose storage does not answer does not end.
  return Child{argv,       {},          null.get(),
               null.get(), words.get(), {.signal = SIGTERM, .grace = std::chrono::seconds{2}}};
}

}  // namespace

Server::Server(const Order& order, const fs::path& socket)
    : socket_{socket}, child_{start(order, socket)} {
  wait_until_it_serves(order);
  if (is_watched(order.image.native())) child_.change(Stop::Then::leave);
}

void Server::wait_until_it_serves(const Order& order) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!connect(order.export_name)) {
    cancel::check();
    pollfd ended{child_.fd(), POLLIN, 0};
    if (poll(&ended, 1, 20) == 1)
      throw Error{"cannot open '" + order.image.string() +
                  "': " + last_line(read_file(log_of(socket_)))};
    if (std::chrono::steady_clock::now() > end)
      throw Error{"qemu-nbd did not serve '" + order.image.string() + "' within 60 s"};
  }
}

bool Server::connect(const std::string& export_name) {
  leash_.reset(nbd_create());
  return leash_ && nbd_set_export_name(leash_.get(), export_name.c_str()) == 0 &&
         nbd_connect_unix(leash_.get(), socket_.c_str()) == 0;
}

std::uint64_t Server::size() const {
  const std::int64_t size = nbd_get_size(leash_.get());
  if (size < 0)
    throw Error{"cannot know the size of '" + socket_.string() + "': " + nbd_get_error()};
  return static_cast<std::uint64_t>(size);
}

namespace {

// It ends with its last client.  While it opens its image it forgets signals, but not who calls.
void call_and_hang_up(const fs::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.native().size() >= sizeof address.sun_path) return;
  socket.native().copy(address.sun_path, sizeof address.sun_path - 1);
  const Fd caller{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // Where nobody listens yet, nobody will: the directory goes next.
  if (caller) ::connect(caller.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
}

}  // namespace

void end_servers(const fs::path& directory) {
  for (const pid_t pid : all_processes()) {
    const auto process = Process::living(pid);
    if (!process) continue;
    const auto words = process->arguments();
    const auto option = std::find(words.begin(), words.end(), "--socket");
    if (option == words.end() || option + 1 == words.end()) continue;
    if (fs::path{option[1]}.parent_path() != directory) continue;
    const bool watched = is_watched(words.back());
    process->signal(watched ? SIGTERM : SIGKILL);
    if (watched) call_and_hang_up(option[1]);
  }
}

}  // namespace nbd
