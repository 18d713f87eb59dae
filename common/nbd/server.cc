// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/server.h"

#include <fcntl.h>
#include <poll.h>

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
fs::path written_when_it_serves(const fs::path& socket) { return socket.string() + ".pid"; }

// A cluster watches who has an image open, and lets whoever makes a snapshot of it wait for a
// client that was killed, for half a minute: so those that serve from Ceph are never killed.  Their
// names say that they do not wait for ever (rbd::qemu_name).
bool is_watched(std::string_view image) { return image.starts_with("rbd:"); }

// A signal that comes while it opens its image is forgotten.  Where the directory is gone, it was
// asked before that.
bool hears(const fs::path& socket) {
  std::error_code error;
  return fs::exists(written_when_it_serves(socket), error) ||
         !fs::exists(socket.parent_path(), error);
}

Child start(const Server::Order& order, const fs::path& socket) {
  std::vector<std::string> argv{"qemu-nbd",
                                "--read-only",
                                "--shared=16",
                                "--socket",
                                socket,
                                "--format",
                                order.format,
                                "--export-name",
                                order.export_name,
                                "--pid-file",
                                written_when_it_serves(socket)};
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

void end_servers(const fs::path& directory) {
  for (const pid_t pid : all_processes()) {
    const auto process = Process::living(pid);
    if (!process) continue;
    const auto words = process->arguments();
    const auto option = std::find(words.begin(), words.end(), "--socket");
    if (option == words.end() || option + 1 == words.end()) continue;
    if (fs::path{option[1]}.parent_path() != directory) continue;
    process->signal(is_watched(words.back()) && hears(option[1]) ? SIGTERM : SIGKILL);
  }
}

}  // namespace nbd
