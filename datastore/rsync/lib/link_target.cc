// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_target.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "common/error.h"
#include "common/one/location.h"

namespace rsync {
namespace {

bool is_us(const std::string& user) {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr && user == entry->pw_name;
}

// What ssh, and the shell of whoever configured a ProxyCommand with %h and %r, take for a name.
bool is_name(const std::string& text) {
  return !text.empty() && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 ||
                  std::string_view{"._-:%+"}.find(static_cast<char>(c)) != std::string_view::npos;
         });
}

}  // namespace

bool Target::here() const { return (user.empty() || is_us(user)) && is_this_machine(host); }

std::string Target::login() const {
  if (!is_name(host)) throw BadRequest{"not a host name: '" + one_line(host) + "'"};
  if (user.empty()) return host;
  if (!is_name(user)) throw BadRequest{"not a user name: '" + one_line(user) + "'"};
  return user + "@" + host;
}

std::string Target::name() const { return "'" + one_line(host) + "'"; }

std::vector<std::string> Target::on(const std::vector<std::string>& argv) const {
  if (here()) return argv;
  auto line = ssh;
  // No master of ours: it would outlive us, and carry everybody's bytes in one process.
  for (const char* option :
       {"-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ConnectTimeout=30", "-o",
        "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4", "--"})
    line.emplace_back(option);
  line.push_back(login());
  line.push_back(Command{argv}.display());
  return line;
}

}  // namespace rsync
