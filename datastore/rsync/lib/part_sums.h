// SPDX-License-Identifier: Apache-2.0
// What a merge holds the files of a chain against.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "datastore/lib/verification.h"

namespace rsync {

// The file of a disk in one increment of a chain.
struct PartFile {
  std::string file;  // "disk.0.3"
  std::string path;  // for messages
  std::uint64_t size = 0;
  bool first = false;  // of the chain's increments
  bool flat = false;   // the increment was merged by us
  // What lies beside it.
  std::function<std::optional<std::uint64_t>(const std::string& file)> size_of;  // nullopt: none
  std::function<std::string(const std::string& file, std::size_t most)> read;
};

// The checksums (common/sums.h) of its capture, or of the merge that made it; nullopt: there are
// none.  Those that the caller has `known` from the capture, by the names of sums_file(), count
// more than those beside it.  Error: they are those of a file of another size.
std::optional<std::string> sums_of(const PartFile& part, const Texts& known);

}  // namespace rsync
