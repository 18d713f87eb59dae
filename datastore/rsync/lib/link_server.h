// SPDX-License-Identifier: Apache-2.0
// The server executable: where it is on the server, and how it gets there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datastore/rsync/lib/link_target.h"

namespace rsync {

// Where the executable of this version is, or has to be, on the server: its digest is in its name,
// so that what other versions pushed is in nobody's way, and a path that is there is the right one.
// On this machine it is the one of our own tree.
std::string server_path(const Target& target);

// How it is started there.  Elsewhere the status is 127 if it is not there, or is not the user's
// own: anybody may write to /var/tmp.
std::vector<std::string> server_argv(const Target& target, const std::string& path);

struct Ensured {
  std::optional<std::string> path;  // nullopt: nothing of ours can be run there
  std::string why{};                // not, on one line
};
// Pushes the executable unless it is there.  Error: the server cannot be reached.
Ensured ensure_server(const Target& target);

}  // namespace rsync
