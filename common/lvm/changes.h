// SPDX-License-Identifier: Apache-2.0
// What thin volumes have, and how they differ: from the metadata of their pool, by thin_delta.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/lvm/volume.h"
#include "common/qcow2/extent.h"

namespace lvm {

// The metadata of a pool as it was at one moment, held in the pool, which has room for one: one
// that somebody has left, dead, is released first.  The pool must be active.  Throws Error.
class MetadataSnapshot {
 public:
  MetadataSnapshot(Volume pool, const Access& access);
  MetadataSnapshot(const MetadataSnapshot&) = delete;
  ~MetadataSnapshot();

  // Two volumes of the pool by their numbers.
  struct Sides {
    std::uint64_t before = 0, now = 0;
    std::uint64_t size_before = 0, size_now = 0;  // bytes
    // Reads as something else than zeros where nothing was written.
    bool external_origin = false;
  };
  // What is different now: data, or zero where it was discarded.  Twice the same number: all that
  // was ever written to it.
  qcow2::Extents changes(const Sides& sides) const;

 private:
  const Volume pool_;
  const Access access_;
};

// Nothing if none is held, or the pool is not active.
void release_metadata(const Volume& pool, const Access& access);

// The document of thin_delta, which may be as large as a disk is fragmented: as it comes.
class DeltaReader {
 public:
  explicit DeltaReader(const MetadataSnapshot::Sides& sides);
  DeltaReader(const DeltaReader&) = delete;
  ~DeltaReader();
  void add(std::string_view text);  // Error for what thin_delta does not write
  qcow2::Extents finish();          // Error if it is not whole

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace lvm
