// SPDX-License-Identifier: Apache-2.0
// A FileReader whose file has a second one beside it: its checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/nbd/file_reader.h"
#include "common/sums.h"

namespace nbd {

class SummedReader {
 public:
  SummedReader(Export source, qcow2::Plan plan, FileReader::Options options = {});

  const qcow2::Plan& plan() const { return reader_.plan(); }
  std::uint64_t sums_size() const { return sums::size(plan().file_size()); }

  // As FileReader's.  The sums of what is read in order are taken on the way.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out);

  // The same for the file of sums.  What is not known yet is read from the export by this very
  // call, whatever other readers do.  At most one piece of 4 MiB is: the call may give less than
  // asked for, and then another one goes on.
  std::size_t read_sums(std::uint64_t offset, std::span<std::byte> out);

  // All sums, if the file was read wholly.
  std::optional<std::string> sums() const { return table_.all(); }

  void fail(const std::string& why) { reader_.fail(why); }

 private:
  sums::Sum compute(std::uint64_t piece);

  FileReader reader_;
  sums::Table table_;
};

}  // namespace nbd
