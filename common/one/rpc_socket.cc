// SPDX-License-Identifier: Apache-2.0
#include "common/one/rpc_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "common/cancel.h"
#include "common/handle.h"
#include "common/number.h"

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_answer = 64 << 20;

class Connection {
 public:
  Connection(const fs::path& path, std::chrono::seconds limit, bool stops)
      : name_{"'" + path.string() + "'"},
        end_{Clock::now() + limit},
        stops_{stops},
        fd_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path)
      throw Error{"the socket's name is too long: " + name_};
    std::strcpy(address.sun_path, path.c_str());
    if (!fd_) throw system_error("make a socket", errno);
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return;
    if (errno == ENOENT || errno == ECONNREFUSED)
      throw NobodyThere{"nobody listens on " + name_ + ": is vmvaultd running?"};
    throw system_error("connect to " + name_, errno);
  }

  void send_all(std::string_view text) {
    while (!text.empty()) {
      wait(POLLOUT);
      const auto sent = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      // It may have answered already, and not want the rest.
      if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
      if (sent < 0 && errno != EAGAIN && errno != EINTR)
        throw system_error("write to " + name_, errno);
    }
  }

  std::string read_all() {
    std::string all;
    std::array<char, 65536> part;
    while (all.size() <= longest_answer) {
      wait(POLLIN);
      const auto got = recv(fd_.get(), part.data(), part.size(), MSG_DONTWAIT);
      if (got == 0) return all;
      if (got > 0) all.append(part.data(), static_cast<std::size_t>(got));
      if (got < 0 && errno != EAGAIN && errno != EINTR)
        throw system_error("read from " + name_, errno);
    }
    throw Error{"the answer of " + name_ + " is too long"};
  }

  const std::string& name() const { return name_; }

 private:
  void wait(short events) {
    std::array<pollfd, 2> fds{{{fd_.get(), events, 0}, {stops_ ? cancel::fd() : -1, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
    if (left <= 0) throw Error{"no answer from " + name_};
    poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
    if (stops_) cancel::check();
  }

  std::string name_;
  Clock::time_point end_;
  bool stops_;
  Fd fd_;
};

// The number after "Content-Length:", in whatever case; nullopt: there is no such line.
std::optional<std::int64_t> content_length(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view field = "\r\ncontent-length:";
  const auto at = head.find(field);
  if (at == head.npos) return std::nullopt;
  auto value = head.substr(at + field.size());
  value = value.substr(0, value.find('\r'));
  value.erase(0, value.find_first_not_of(' '));
  return parse_number(value).value_or(-1);
}

std::string exchange(Connection connection, const std::string& request) {
  connection.send_all(request);
  const auto answer = connection.read_all();
  const auto end = answer.find("\r\n\r\n");
  if (end == answer.npos || !answer.starts_with("HTTP/1."))
    throw Error{"what listens on " + connection.name() + " does not speak HTTP"};
  const auto head = answer.substr(0, end);
  const auto status = head.substr(0, head.find('\r'));
  if (status.find(" 200") != 8)
    throw Error{connection.name() + " answers " + one_line(status.substr(status.find(' ') + 1))};
  auto body = answer.substr(end + 4);
  if (const auto length = content_length(head);
      length && *length != static_cast<std::int64_t>(body.size()))
    throw Error{"the answer of " + connection.name() + " was cut off"};
  return body;
}

}  // namespace

std::string post_to_socket(const fs::path& socket, const std::string& body,
                           std::chrono::seconds limit, bool stops) {
  return exchange({socket, limit, stops},
                  "POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
                  "Content-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
}

bool somebody_listens(const fs::path& socket) try {
  const Connection connection{socket, std::chrono::seconds{1}, true};
  return true;
} catch (const Error&) {
  return false;
}

std::string get_from_socket(const fs::path& socket, const std::string& path,
                            std::chrono::seconds limit) {
  return exchange({socket, limit, true}, "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n");
}
