// SPDX-License-Identifier: Apache-2.0
// RSYNC_ARGS: the options of the rsync program that mean something here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rsync {

struct Args {
  bool archive = false;                 // -a, or -p and -t: files keep their mode and their time
  bool sparse = false;                  // -S
  bool whole = false;                   // -W: no deltas
  int compress = 0;                     // -z, --compress-level: of zlib; 0: not
  std::uint64_t bytes_per_second = 0;   // --bwlimit; 0: no limit
  std::chrono::seconds timeout{};       // --timeout; zero: ours
  std::vector<std::string> ssh{"ssh"};  // -e

  bool operator==(const Args&) const = default;
};

// BadRequest names what is not understood.
Args parse_args(std::string_view text);

}  // namespace rsync
