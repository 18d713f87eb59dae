// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/guard_words.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>

using nlohmann::json;

namespace host {

bool say(int socket, const json& words) noexcept try {
  const std::string text = words.dump();
  return send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
} catch (const std::exception&) {
  return false;
}

std::optional<json> listen_to(int socket) {
  std::array<char, 16384> buffer;
  ssize_t n = 0;
  do n = recv(socket, buffer.data(), buffer.size(), 0);
  while (n == -1 && errno == EINTR);
  if (n <= 0) return std::nullopt;
  auto words = json::parse(buffer.begin(), buffer.begin() + n, nullptr, false);
  if (!words.is_object()) return std::nullopt;
  return words;
}

}  // namespace host
