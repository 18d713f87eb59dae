// SPDX-License-Identifier: Apache-2.0
// Links to programs on a server, by the transport that suits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/link_target.h"
#include "datastore/rsync/lib/link_wait.h"

namespace nbd {
class Limiter;
}

namespace rsync {

class SessionPool;

enum class Transport {
  automatic,  // libssh2, but for what only the ssh program can: the log says why
  libssh2,
  ssh,
};
// RSYNC_TRANSPORT: "auto" (or ""), "libssh2", "ssh".  BadRequest.
Transport parse_transport(std::string_view text);

struct LinkOptions {
  Transport transport = Transport::automatic;
  Terms terms{};
  std::uint64_t bytes_per_second = 0;  // that we send; 0: no limit
};

// The way to a server for any number of links, at the same time, and each for another thread.  With
// libssh2 all of them go over one connection, as far as the server allows it: what ends that ends
// them all, and the next open() makes a new one.  With the ssh program each has its own.
class Connection {
 public:
  Connection(Target target, LinkOptions options);
  Connection(const Connection&) = delete;
  ~Connection();

  // Starts `argv` on the server.  On this machine there is no transport to choose.
  std::unique_ptr<Link> open(const std::vector<std::string>& argv);

 private:
  std::unique_ptr<Link> start(const std::vector<std::string>& argv);
  std::unique_ptr<Link> by_libssh2(const std::vector<std::string>& argv);
  std::unique_ptr<Link> by_program(const std::vector<std::string>& argv) const;

  const Target target_;
  const LinkOptions options_;
  const std::unique_ptr<SessionPool> sessions_;
  std::shared_ptr<nbd::Limiter> limiter_;
  std::atomic<bool> not_for_libssh2_ = false;
};

// A connection for one link.
std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                const LinkOptions& options = {});
// For questions: by the ssh program, with what is configured for it (a ControlMaster, say).
inline std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                       Terms terms) {
  return open_link(target, argv, LinkOptions{.transport = Transport::ssh, .terms = terms});
}

}  // namespace rsync
