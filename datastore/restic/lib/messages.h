// SPDX-License-Identifier: Apache-2.0
// What restic prints with --json, as values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace restic {

struct Snapshot {
  std::string id;  // all 64 digits
  std::vector<std::string> paths;
  std::vector<std::string> tags;
  std::int64_t time = 0;      // seconds since 1970, without their fraction
  std::string original = {};  // the first id that it had, before `restic tag` or `restic copy`
};

// Of `snapshots --json`.  Throws Error when it is no list of snapshots.
std::vector<Snapshot> parse_snapshots(std::string_view text);

// One line of `backup --json`.
struct Status {
  std::uint64_t bytes_done = 0;
};
std::optional<Status> parse_status(std::string_view line);

struct Summary {
  std::string snapshot_id;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};
std::optional<Summary> parse_summary(std::string_view line);

// The plain files in the output of `ls --json`, each with its size.  Throws Error when it is none.
std::map<std::string, std::uint64_t> parse_files(std::string_view text);

// The size of the file `path` in the output of `ls --json`; nullopt if it is not there.
std::optional<std::uint64_t> parse_size(std::string_view text, std::string_view path);

}  // namespace restic
