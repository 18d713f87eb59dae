// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/error.h"
#include "drivers/vmvaultd/lib/http_server.h"

namespace vmvaultd {
namespace {

constexpr int backlog = 128;
constexpr mode_t for_owner_and_group = 0660;

Fd new_socket(int family) {
  Fd made{socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!made) throw system_error("make a socket", errno);
  return made;
}

// Left by a service that is no more: nobody answers.
bool is_left_over(const sockaddr_un& address) {
  const Fd client = new_socket(AF_UNIX);
  return connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

Listener bound(Fd socket, const sockaddr* address, socklen_t size, const std::string& name,
               const std::string& way) {
  if (bind(socket.get(), address, size) != 0 || listen(socket.get(), backlog) != 0)
    throw system_error("listen on " + name, errno);
  return {.socket = std::move(socket), .way = way};
}

}  // namespace

Listener listen_on_file(const std::string& path, const std::string& group) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path)
    throw BadRequest{"'" + path + "' is too long for a socket: name another with SOCKET"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (is_left_over(address)) unlink(path.c_str());
  auto made = new_socket(AF_UNIX);
  // What it is bound with is the file's mode.
  fchmod(made.get(), for_owner_and_group);
  const mode_t others = umask(0117);
  const int failed = bind(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(others);
  if (failed != 0) throw system_error("listen on '" + path + "'", error);
  if (!group.empty()) {
    const auto* entry = getgrnam(group.c_str());
    if (!entry) throw BadRequest{"SOCKET_GROUP: there is no group '" + one_line(group) + "'"};
    if (chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0)
      throw system_error("give '" + path + "' to the group '" + group + "'", errno);
  }
  if (listen(made.get(), backlog) != 0) throw system_error("listen on '" + path + "'", errno);
  return {.socket = std::move(made), .way = "socket"};
}

Listener listen_on_address(const std::string& address, int port) {
  const std::string name = address + " port " + std::to_string(port);
  const int yes = 1;
  sockaddr_in v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    auto made = new_socket(AF_INET);
    setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bound(std::move(made), reinterpret_cast<sockaddr*>(&v4), sizeof v4, name, "tcp");
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    auto made = new_socket(AF_INET6);
    setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bound(std::move(made), reinterpret_cast<sockaddr*>(&v6), sizeof v6, name, "tcp");
  }
  throw BadRequest{"LISTEN_ADDRESS: '" + one_line(address) + "' is no address in numbers"};
}

}  // namespace vmvaultd
