// SPDX-License-Identifier: Apache-2.0
// NBD servers on private sockets, for unit tests.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/child.h"
#include "common/command.h"
#include "common/file.h"
#include "common/nbd/export.h"

namespace nbd::testing {

// A unix socket, not yet listening or connected.
inline Fd unix_socket() { return Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}; }

inline sockaddr_un unix_address(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

// A server that dies with us, and at the latest with this object.
class Server {
 public:
  Server(std::filesystem::path socket, std::vector<std::string> argv)
      : socket_{std::move(socket)}, child_{start(socket_.string() + ".log", std::move(argv))} {
    const sockaddr_un address = unix_address(socket_);
    for (int tries = 0; tries < 3000; ++tries) {
      const Fd fd = unix_socket();
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    throw std::runtime_error{"a test's NBD server does not listen"};
  }

  void signal(int number) { ::kill(child_.pid(), number); }
  void kill() { child_.stop(); }

 private:
  static Child start(const std::string& log, std::vector<std::string> argv) {
    argv.insert(argv.begin(), {"setpriv", "--pdeathsig", "KILL", "--"});
    const Fd null = open_file("/dev/null", O_RDWR);
    const Fd errors = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
    return Child{argv, {}, null.get(), null.get(), errors.get(), {.signal = SIGKILL}};
  }

  std::filesystem::path socket_;
  Child child_;
};

// qemu-nbd, persistent and read-only, exporting `file` as "disk".
inline Server serve(const Export& source, const std::filesystem::path& file,
                    const std::string& format, int clients = 8) {
  std::vector<std::string> argv{
      "qemu-nbd", "-r",   "-t", "-e",       std::to_string(clients), "-k", source.socket.string(),
      "-f",       format, "-x", source.name};
  if (source.bitmap) argv.insert(argv.end(), {"-B", *source.bitmap});
  if (source.layers > 0) argv.push_back("-A");
  argv.push_back(file.string());
  return Server{source.socket, std::move(argv)};
}

// nbdkit with any plugin and filters.
inline Server nbdkit(const Export& source, std::vector<std::string> words) {
  std::vector<std::string> argv{"nbdkit", "-f", "-U", source.socket.string()};
  argv.insert(argv.end(), words.begin(), words.end());
  return Server{source.socket, std::move(argv)};
}

}  // namespace nbd::testing
