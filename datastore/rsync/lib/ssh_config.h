// SPDX-License-Identifier: Apache-2.0
// What the ssh program would do to reach a server: its configuration counts for libssh2, too.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/link_target.h"

namespace rsync {

struct SshConfig {
  enum class NewKeys { refuse, accept };

  std::string host;   // to connect to
  std::string alias;  // what its key is known by
  std::string port = "22";
  std::string user;
  std::vector<std::string> identity_files;
  std::vector<std::string> known_hosts;  // files
  std::string agent;                     // the socket; empty: none
  bool identities_only = false;
  NewKeys new_keys = NewKeys::refuse;
  std::string proxy;  // ProxyJump or ProxyCommand, as it stands
  // A server that has said nothing for so long is asked whether it lives, and so many times.
  std::chrono::seconds alive_every{15};
  int alive_most = 4;

  // "alias", or "[alias]:port" where that is not 22: as known_hosts has it.
  std::string known_as() const;
};

// The output of `ssh -G`.
SshConfig parse_ssh_config(std::string_view text);
// Asks ssh.  Error: it does not understand its configuration.
SshConfig ssh_config(const Target& target);

}  // namespace rsync
