// SPDX-License-Identifier: Apache-2.0
// What the service has done by children of its own, since it may take for ever: they ask libvirt,
// and look at disks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

// The child's side.  Each prints what the other side reads, and throws as what it calls.
void look(const std::string& uri);
void prepare(const state::Home& home, const std::string& uri, int vm, int datastore, bool reset);

// The service's side.  nullopt: it is no such answer.
std::optional<std::vector<Machine>> parse_look(const std::string& text);
struct Preparation {
  std::int64_t attempt = -1;
  std::string payload;
};
std::optional<Preparation> parse_preparation(const std::string& text);

}  // namespace vmvaultd
