// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/hosts.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "common/file.h"
#include "common/one/location.h"

namespace restic {
namespace {

std::filesystem::path note_of(const Repository& repository) {
  return var_dir() /
         ("restic-hosts." + std::to_string(repository.datastore_id()) + "." + repository.id());
}

std::vector<std::string> noted(const std::filesystem::path& note) {
  std::istringstream words{read_file_if_any(note).value_or("")};
  std::vector<std::string> all;
  for (std::string host; words >> host;) all.push_back(host);
  return all;
}

// "root@KVM1.example.org" is "kvm1".
std::string label(std::string host) {
  host = host.substr(host.rfind('@') + 1);
  host = host.substr(0, host.find('.'));
  for (char& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return host;
}

}  // namespace

void note_host(const Repository& repository, const std::string& host) {
  const auto note = note_of(repository);
  auto hosts = noted(note);
  if (std::find(hosts.begin(), hosts.end(), host) != hosts.end()) return;
  hosts.push_back(host);
  std::string text;
  for (const auto& one : hosts) text += one + "\n";
  write_file(note, text);
}

std::optional<std::string> known_host(const Repository& repository, const std::string& name) {
  const auto hosts = noted(note_of(repository));
  const auto found = std::find_if(hosts.begin(), hosts.end(), [&](const std::string& host) {
    return label(host) == label(name);
  });
  return found == hosts.end() ? std::nullopt : std::optional{*found};
}

}  // namespace restic
