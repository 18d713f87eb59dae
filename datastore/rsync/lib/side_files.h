// SPDX-License-Identifier: Apache-2.0
// The side files of a disk's file, made while that is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datastore/rsync/lib/blocks.h"
#include "datastore/rsync/lib/signature.h"

namespace rsync {

class SideFiles {
 public:
  explicit SideFiles(std::uint64_t file_size);

  void add(std::span<const std::byte> bytes);  // the next ones of the file
  void finish();                               // there are no more
  const std::string& blocks() const { return blocks_.file(); }
  const std::string& signature() const { return signature_.file(); }

 private:
  void add_blocks(std::span<const std::byte> bytes);

  Blocks blocks_;
  Signature signature_;
  std::uint64_t next_ = 0;        // block
  std::vector<std::byte> begun_;  // less than one
};

}  // namespace rsync
