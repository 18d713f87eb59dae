// SPDX-License-Identifier: Apache-2.0
// What a guard and its backup say to each other: one JSON document a message.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace host {

// False when nobody listens any more.
bool say(int socket, const nlohmann::json& words) noexcept;

// The next message; nullopt when the other side is gone (or talks nonsense).  Waits for it.
std::optional<nlohmann::json> listen_to(int socket);

}  // namespace host
