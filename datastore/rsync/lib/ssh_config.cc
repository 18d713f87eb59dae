// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/ssh_config.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "common/command.h"
#include "common/error.h"
#include "common/number.h"

namespace rsync {
namespace {

// ssh does not ask the environment.
std::string home() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_dir : "/";
}

std::string short_host() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return std::string{name}.substr(0, std::string_view{name}.find('.'));
}

// The tokens that make sense in the name of a file; others stay, and such a file is not there.
std::string expand(std::string_view path, const SshConfig& config) {
  const std::map<char, std::string> tokens{{'%', "%"},          {'d', home()},
                                           {'h', config.host},  {'k', config.alias},
                                           {'p', config.port},  {'r', config.user},
                                           {'L', short_host()}, {'i', std::to_string(geteuid())}};
  std::string out;
  if (path.starts_with("~/")) {
    out = home();
    path.remove_prefix(1);
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto token =
        path[i] == '%' && i + 1 < path.size() ? tokens.find(path[i + 1]) : tokens.end();
    if (token == tokens.end())
      out += path[i];
    else
      out += token->second, ++i;
  }
  return out;
}

std::string agent_of(const std::string& value, const SshConfig& config) {
  if (value == "none") return "";
  const char* socket = getenv("SSH_AUTH_SOCK");
  if (value.empty() || value == "SSH_AUTH_SOCK") return socket != nullptr ? socket : "";
  if (value.front() != '$') return expand(value, config);
  const char* other = getenv(value.c_str() + 1);
  return other != nullptr ? other : "";
}

}  // namespace

std::string SshConfig::known_as() const { return port == "22" ? alias : "[" + alias + "]:" + port; }

SshConfig parse_ssh_config(std::string_view text) {
  std::multimap<std::string, std::string> all;
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    if (blank != line.npos) all.emplace(line.substr(0, blank), line.substr(blank + 1));
  }
  const auto one = [&](const char* name) {
    const auto it = all.find(name);
    return it == all.end() || it->second == "none" ? "" : it->second;
  };

  SshConfig config;
  config.host = one("hostname");
  config.alias = one("hostkeyalias").empty() ? config.host : one("hostkeyalias");
  config.port = one("port");
  config.user = one("user");
  if (config.host.empty() || config.port.empty() || config.user.empty())
    throw Error{"'ssh -G' names no host, port or user"};
  config.identities_only = one("identitiesonly") == "yes";
  const auto strict = one("stricthostkeychecking");
  if (strict == "accept-new" || strict == "no" || strict == "false" || strict == "off")
    config.new_keys = SshConfig::NewKeys::accept;
  config.proxy = one("proxyjump").empty() ? one("proxycommand") : one("proxyjump");
  const auto every = parse_int(one("serveraliveinterval")).value_or(0);
  const auto most = parse_int(one("serveralivecountmax")).value_or(0);
  if (every > 0 && most > 0) {  // ssh itself never asks by default
    config.alive_every = std::chrono::seconds{every};
    config.alive_most = most;
  }
  const auto [first, last] = all.equal_range("identityfile");
  for (auto it = first; it != last; ++it)
    if (it->second != "none") config.identity_files.push_back(expand(it->second, config));
  for (const char* name : {"userknownhostsfile", "globalknownhostsfile"}) {
    std::istringstream files{one(name)};
    for (std::string file; files >> file;) config.known_hosts.push_back(expand(file, config));
  }
  const auto agent = all.find("identityagent");
  config.agent = agent_of(agent == all.end() ? "" : agent->second, config);
  return config;
}

SshConfig ssh_config(const Target& target) {
  auto argv = target.ssh;
  for (const char* option : {"-G", "-T", "-o", "BatchMode=yes", "--"}) argv.emplace_back(option);
  argv.push_back(target.login());
  // Shielded, for those who connect to undo: it only reads files.
  return parse_ssh_config(Command{argv}.shielded().deadline(std::chrono::seconds{30}).output());
}

}  // namespace rsync
