// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/host_uri.h"

#include <algorithm>
#include <string_view>

#include "common/error.h"
#include "common/one/location.h"

namespace guest {
namespace {

constexpr std::string_view by_ssh = "qemu+ssh://", socket_key = "socket=";

[[noreturn]] void refuse(const std::string& uri, const std::string& why) {
  throw BadRequest{"'" + one_line(uri) + "' " + why};
}

std::string socket_of(const std::string& uri, const std::string& query) {
  if (query.empty()) return "";
  const auto path = query.starts_with(socket_key) ? query.substr(socket_key.size()) : "";
  if (path.find_first_of("&?%#") != path.npos || !path.starts_with('/'))
    refuse(uri, "has another parameter than socket=/PATH");
  return normal_path(path);
}

void check_host(const std::string& uri, const std::string& host) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
  if (host.find(':') != host.npos)
    refuse(uri, "names a port or a password: a port is set in ~/.ssh/config, as Port of that Host");
  const auto name = host.substr(host.rfind('@') + 1);
  if (host.find_first_not_of(letters) != host.npos || host.starts_with('-') ||
      host.starts_with('.') || host.starts_with('@') || host.find('@') != host.rfind('@') ||
      name.empty() || name.starts_with('-'))
    refuse(uri, "names no host");
}

}  // namespace

HostUri parse_host_uri(const std::string& uri) {
  const auto slashes = uri.find("://");
  const auto begin = slashes == uri.npos ? uri.size() : slashes + 3;
  const auto end = std::min(uri.find_first_of("/?", begin), uri.size());
  const auto host = uri.substr(begin, end - begin);
  if (host.empty()) return {.host = "localhost", .to_ask = uri, .there = uri};
  if (is_this_machine(host.substr(0, host.find(':'))))
    return {.host = "localhost", .to_ask = uri, .there = uri};
  if (!uri.starts_with(by_ssh)) refuse(uri, "is another machine, and not qemu+ssh://HOST/system");
  check_host(uri, host);
  const auto question = std::min(uri.find('?', end), uri.size());
  const auto path = uri.substr(end, question - end);
  if (path != "/system" && path != "/session") refuse(uri, "is not qemu+ssh://HOST/system");
  const auto socket = socket_of(uri, question < uri.size() ? uri.substr(question + 1) : "");
  const auto query = socket.empty() ? "" : std::string{socket_key} + socket;
  return {.host = host,
          .to_ask =
              std::string{by_ssh} + host + path + "?no_tty=1" + (query.empty() ? "" : "&" + query),
          .there = "qemu://" + path + (query.empty() ? "" : "?" + query)};
}

}  // namespace guest
