// SPDX-License-Identifier: Apache-2.0
#include "common/one/rpc_session.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <vector>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace rpc {
namespace {

std::optional<std::string> environment(const char* name) {
  const char* value = getenv(name);
  return value && *value ? std::optional<std::string>{value} : std::nullopt;
}

fs::path in_home(const char* name) {
  const auto home = environment("HOME");
  return home ? fs::path{*home} / ".one" / name : fs::path{};
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  return line;
}

}  // namespace

std::string session(const fs::path& first) {
  const auto named = environment("ONE_AUTH");
  std::vector<fs::path> files{first, in_home("one_auth"), "/var/lib/one/.one/one_auth"};
  if (named) files = {*named};
  for (const auto& file : files) {
    if (file.empty() || (!named && access(file.c_str(), R_OK) != 0)) continue;
    const auto text = read_file_if_any(file);
    if (text && !first_line(*text).empty()) return first_line(*text);
  }
  throw Error{"no credentials for the core in '" + files.back().string() + "': set ONE_AUTH"};
}

std::string endpoint() {
  if (auto url = environment("ONE_XMLRPC")) return *std::move(url);
  const auto file = in_home("one_endpoint");
  const auto text = file.empty() ? std::nullopt : read_file_if_any(file);
  if (text && !first_line(*text).empty()) return first_line(*text);
  return "http://localhost:2633/RPC2";
}

}  // namespace rpc
