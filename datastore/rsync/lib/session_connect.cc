// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "datastore/rsync/lib/session.h"

namespace rsync {
namespace {

constexpr std::chrono::seconds to_connect{30};

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

// 0, or why not.
int connect_one(int fd, const addrinfo& address, Patience& patience) {
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready[] = {{fd, POLLOUT, 0}};
  if (!patience.wait(ready, to_connect)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

Fd connect_to(const std::string& host, const std::string& port, const std::string& whom,
              Terms terms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  Addresses found;
  const int unknown = getaddrinfo(host.c_str(), port.c_str(), &hints, &found.first);
  const auto doing = "connect to " + whom + " (" + host + " port " + port + ")";
  if (unknown != 0) throw Error{"cannot " + doing + ": " + gai_strerror(unknown)};
  Patience patience{whom, terms};
  int why = 0;
  for (const addrinfo* address = found.first; address != nullptr; address = address->ai_next) {
    Fd fd{socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd) {
      why = errno;
      continue;
    }
    const int one = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    why = connect_one(fd.get(), *address, patience);
    if (why == 0) return fd;
  }
  throw system_error(doing, why);
}

}  // namespace rsync
