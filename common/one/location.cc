// SPDX-License-Identifier: Apache-2.0
#include "common/one/location.h"

#include <arpa/inet.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "common/error.h"
#include "common/one/config.h"

namespace fs = std::filesystem;

namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_loopback(const std::string& address) {
  in_addr four{};
  if (inet_pton(AF_INET, address.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six{};
  return inet_pton(AF_INET6, address.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

std::string own_name() {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, sizeof name - 1);
  return lower(name);
}

std::optional<std::string> environment(const char* name) {
  const char* value = getenv(name);
  return value && *value ? std::optional<std::string>{value} : std::nullopt;
}

// A directory of our own user: root, who may write everywhere, must not leave files of root in
// the directories of the core.
bool is_ours(const fs::path& directory) {
  struct stat info {};
  return stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         access(directory.c_str(), W_OK) == 0;
}

}  // namespace

fs::path core_var() {
  const auto location = environment("ONE_LOCATION");
  return location ? fs::path{*location} / "var" : fs::path{"/var/lib/one"};
}

fs::path var_path() {
  if (const auto var = environment("VMVAULT_VAR")) return normal_path(*var);
  if (environment("ONE_LOCATION") || is_ours(core_var())) return core_var() / "vmvault";
  if (geteuid() == 0) return "/var/lib/vmvault";
  if (const auto state = environment("XDG_STATE_HOME")) return normal_path(*state + "/vmvault");
  if (const auto home = environment("HOME")) return normal_path(*home + "/.local/state/vmvault");
  throw Error{"no directory to keep files in: set VMVAULT_VAR"};
}

Location Location::parse(std::string_view text) {
  const auto colon = text.find(":/");
  if (colon == text.npos || colon == 0)
    throw BadRequest{"expected HOST:/DIRECTORY, not '" + std::string{text} + "'"};
  const auto host = text.substr(0, colon);
  const auto name = host.substr(host.rfind('@') + 1);
  if (has_control(host) || host.find_first_of(" /") != host.npos || host.starts_with('-') ||
      name.empty() || name.starts_with('-'))
    throw BadRequest{"not a host name: '" + std::string{host} + "'"};
  return {std::string{host}, normal_path(text.substr(colon + 1))};
}

fs::path normal_path(std::string_view text) {
  const auto refuse = [&](const char* why) {
    throw BadRequest{"the path '" + std::string{text} + "' " + why};
  };
  if (has_control(text)) refuse("holds a control character");
  if (!text.starts_with('/')) refuse("is not absolute");
  std::string normal;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('/', begin), text.size());
    const auto part = text.substr(begin, end - begin);
    if (part == "..") refuse("holds '..'");
    if (!part.empty() && part != ".") normal.append("/").append(part);
    begin = end + 1;
  }
  return normal.empty() ? "/" : normal;
}

bool is_this_machine(std::string_view host) {
  host.remove_prefix(host.rfind('@') + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string name = lower(host);
  if (name.empty()) return false;
  if (name == "localhost" || name == "localhost.localdomain" || is_loopback(name)) return true;
  const std::string own = own_name();
  return name == own || name == own.substr(0, own.find('.'));
}

fs::path tree_of(const fs::path& executable) {
  constexpr std::array layers{"datastore", "tm", "vmm", "drivers"};
  const fs::path layer = executable.parent_path().parent_path();
  if (std::find(layers.begin(), layers.end(), layer.filename().string()) != layers.end())
    return layer.parent_path();
  return executable.parent_path().parent_path() / "libexec/vmvault";
}

fs::path remotes_root() {
  if (const auto root = environment("VMVAULT_REMOTES")) return normal_path(*root);
  std::error_code error;
  const auto executable = fs::read_symlink("/proc/self/exe", error);
  if (error) throw system_error("read '/proc/self/exe'", error.value());
  return tree_of(executable);
}

fs::path remote_root() {
  if (const auto root = environment("VMVAULT_REMOTE_DIR")) return normal_path(*root);
  const auto settings = read_settings(core_var() / "config");
  const auto found = settings.find("SCRIPTS_REMOTE_DIR");
  return found == settings.end() || found->second.empty() ? fs::path{"/var/tmp/one"}
                                                          : normal_path(found->second);
}

fs::path var_dir() {
  const fs::path dir = var_path();
  if (mkdir(dir.c_str(), 0700) == 0) return dir;
  if (errno == ENOENT) {
    std::error_code error;
    fs::create_directories(dir.parent_path(), error);
    if (!error && mkdir(dir.c_str(), 0700) == 0) return dir;
    if (error) throw system_error("make '" + dir.string() + "'", error.value());
  }
  if (errno != EEXIST) throw system_error("make '" + dir.string() + "'", errno);
  return dir;
}
