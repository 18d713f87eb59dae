// SPDX-License-Identifier: Apache-2.0
// The form of OpenNebula's configuration files.
//
//   MAX_BACKUPS   = 5             # a comment
//   BACKUP_WINDOW = "mon-fri 22:00-06:00"
//   LOG = [
//     SYSTEM = "file",
//     DEBUG_LEVEL = 3 ]
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vmvaultd {

struct ConfEntry {
  int line = 0;  // where it begins, from 1
  std::string name;
  std::string value{};            // without quotes
  std::vector<ConfEntry> list{};  // of NAME = [ ... ]
  bool is_list = false;
};

// In the order of the file.  BadRequest names the line that cannot be read.
std::vector<ConfEntry> parse_conf(std::string_view text);

}  // namespace vmvaultd
