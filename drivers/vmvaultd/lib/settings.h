// SPDX-License-Identifier: Apache-2.0
// vmvaultd.conf: what an operator says (conf.h: in which form).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/vmvaultd/lib/front.h"
#include "drivers/vmvaultd/lib/log.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

struct Settings {
  Manager::Settings manager{.rpo = day, .datastore = 100};
  Time look = minute;            // how often the machines of the host are looked for
  std::string uri{};             // of its libvirt; empty: as the other programs find it
  std::filesystem::path hook{};  // a program that is told what has happened; empty: none
  FrontSettings front{};         // where it is asked
  std::filesystem::path mads{};  // where the drivers are; empty: beside the actions
  LogSettings log{};
};

// BadRequest names the line that cannot be read, and the key that is unknown or has no such value.
Settings parse_service_settings(std::string_view text);

}  // namespace vmvaultd
