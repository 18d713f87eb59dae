// SPDX-License-Identifier: Apache-2.0
// What the action `verify` of a datastore has found out about a backup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace state {

struct DiskVerdict {
  int id = -1;
  std::string file;
  std::uint64_t size = 0;
  bool sums = false;                                  // there are checksums of its capture
  bool proven = false;                                // it was read, and agrees with them
  std::string problem;                                // empty: none
  std::optional<std::uint64_t> offset, guest_offset;  // where that begins: in the file, on the disk
};

struct IncrementVerdict {
  int id = -1;
  std::string problem;  // besides those of its disks
  std::vector<DiskVerdict> disks;

  // "disk 0, offset 4194304: why"; empty: nothing is wrong.
  std::string damage() const;
  bool sums() const;    // of each disk
  bool proven() const;  // each disk, and nothing is wrong
};

struct Verdict {
  std::string repository;  // what is wrong with it; empty: nothing
  std::vector<IncrementVerdict> increments;

  const IncrementVerdict* first_damaged() const;  // nullptr: none is
  std::uint64_t bytes() const;
};

// Throws Error for what is none.
Verdict parse_verdict(std::string_view json);

}  // namespace state
