// SPDX-License-Identifier: Apache-2.0
// Abyss, the HTTP server of xmlrpc-c, on sockets of ours: one request a connection.
//
// A client that says nothing, or only bit by bit, is in nobody's way: a request has to be here
// within `reading`, and when all places of a socket are taken the one that has been sending for
// longest makes room.  Each socket has places of its own.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/handle.h"

namespace vmvaultd {

struct Listener {
  Fd socket;        // bound and listening
  std::string way;  // what its callers come over: "socket", "tcp"
};

// A unix socket of mode 0660 in place of what a service that died has left.  Throws an Error when
// another process listens there.
Listener listen_on_file(const std::string& path, const std::string& group = {});
// BadRequest for what is no address in numbers.
Listener listen_on_address(const std::string& address, int port);

class HttpServer {
 public:
  struct Answers {
    // POST /RPC2: the body of the answer.  Called from several threads; must not throw.
    std::function<std::string(std::string_view body, const std::string& way)> call;
    // GET /metrics, from this machine; nullopt: there are none.
    std::function<std::optional<std::string>()> metrics;
  };
  struct Limits {
    std::size_t places = 128;  // of each socket
    std::size_t at_work = 4;   // calls that are carried out at a time
    std::chrono::milliseconds reading = std::chrono::seconds{30};
    std::chrono::milliseconds writing = std::chrono::seconds{60};
  };

  HttpServer(std::vector<Listener> listeners, Answers answers, Limits limits);
  HttpServer(const HttpServer&) = delete;
  // Calls that are carried out end; whoever else is connected is cut off.
  ~HttpServer();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vmvaultd
