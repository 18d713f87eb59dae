// SPDX-License-Identifier: Apache-2.0
// A disk of a flattened backup: one file of sequential layout, made while it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datastore/restic/lib/streams.h"

namespace restic {

class FlatDisk {
 public:
  virtual ~FlatDisk() = default;
  virtual std::uint64_t size() const = 0;
  // The bytes from `offset` on, as many as `out` holds and the file has.  Cheap for who reads on
  // from where the last call ended.  Whoever was given the last byte knows that all sources were
  // read well to their end.  For several threads.  Throws Error, Cancelled.
  virtual std::size_t read(std::uint64_t offset, std::span<std::byte> out) = 0;
  // The checksums of the file (common/sums.h), if it was read wholly and each source was held
  // against those of its capture on the way.
  virtual std::optional<std::string> sums() const { return std::nullopt; }
};

// Whether what was opened to learn the size stays open until it is read.
enum class Opened { kept, closed };

// Merges the files of the chain, oldest first, on the way; nullptr where they were not written in
// sequence.
std::unique_ptr<FlatDisk> stream_flat_disk(const Streams& streams,
                                           const std::vector<StoredFile>& chain, Opened opened);

// Copies the files to the directory, which is new or empty, and merges them from there.
std::unique_ptr<FlatDisk> copy_flat_disk(const Restic& restic, const std::vector<StoredFile>& chain,
                                         const std::filesystem::path& directory);

}  // namespace restic
