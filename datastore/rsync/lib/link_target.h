// SPDX-License-Identifier: Apache-2.0
// Where the server of an rsync datastore is, and how a program is started on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/command.h"

namespace rsync {

struct Target {
  std::string host;                     // RSYNC_HOST
  std::string user{};                   // RSYNC_USER; empty: as ssh decides
  std::vector<std::string> ssh{"ssh"};  // the program, with options of RSYNC_ARGS (-e)

  // This machine, as ourselves: no ssh at all.
  bool here() const;
  std::string login() const;  // "user@host" or "host"; BadRequest if that is no name
  std::string name() const;   // for messages

  // What to execute here so that `argv` runs there.
  std::vector<std::string> on(const std::vector<std::string>& argv) const;
  Command command(const std::vector<std::string>& argv) const { return Command{on(argv)}; }
};

// What to do about it that ssh let nobody in, by what it said: "; ...", or nothing if that is not
// known.
std::string ssh_remedy(std::string_view said);

}  // namespace rsync
