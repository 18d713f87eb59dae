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

// ssh has one status for all, so its words have to do.
std::string ssh_remedy(std::string_view said) {
  const auto says = [&](std::string_view words) { return said.find(words) != said.npos; };
  if (says("Permission denied (publickey"))
    return "; there is no key that it takes: is ours there (ssh-add -l, or a file without a "
           "passphrase), and the public one in its authorized_keys?";
  if (!says("Host key verification failed")) return "";
  if (says("HAS CHANGED") || says("has changed"))
    return "; it shows another key than known_hosts has: if the server is really new, correct "
           "known_hosts (ssh-keygen -R)";
  return "; its host key is not known here: compare the fingerprint, then add it to known_hosts "
         "(ssh-keyscan, or ssh to it once as this user)";
}

}  // namespace rsync
