// SPDX-License-Identifier: Apache-2.0
// A Link to a program on the server, by the transport that suits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/link_target.h"
#include "datastore/rsync/lib/link_wait.h"

namespace rsync {

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

// Starts `argv` on the server.  On this machine there is no transport to choose.
std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                const LinkOptions& options = {});
// For questions: by the ssh program, with what is configured for it (a ControlMaster, say).
inline std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                       Terms terms) {
  return open_link(target, argv, LinkOptions{.transport = Transport::ssh, .terms = terms});
}

}  // namespace rsync
