// SPDX-License-Identifier: Apache-2.0
// Sequential qcow2 files as streams: written in one pass, read in one pass, merged side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/qcow2/plan.h"

namespace qcow2 {

// Takes the bytes of a file, in order.  Throws to stop the writer.
using Sink = std::function<void(std::span<const std::byte>)>;

// Gives the next bytes of a file: fills `out` from the front, returns how many (0: the end).
using Source = std::function<std::size_t(std::span<std::byte> out)>;

// Writes the metadata of the plan: the bytes [0, metadata_size()).
void write_metadata(const Plan& plan, const Sink& sink);

// A sequential file as it comes in.  Only files of the layout of plan.h are taken; the bytes
// come from a store, so nothing in them is trusted: every table is checked against the layout
// that its own map implies, and a file that names a backing or data file is refused.
class StreamReader {
 public:
  // Reads the metadata.  `name` is for messages.  Throws Error: not qcow2, not sequential, cut
  // short.
  StreamReader(Source source, std::string name);
  StreamReader(StreamReader&&) noexcept;
  ~StreamReader();

  const Plan& plan() const;

  // The guest's bytes [offset, offset + out.size()), which must lie in data extents, at or after
  // what was asked for last (what lies between is skipped).  Throws Error when the stream ends
  // early.
  void read(std::uint64_t offset, std::span<std::byte> out);

  // Insists that the stream ends where the plan says.  Call after the last read().
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A file of a chain, as a merge needs it.
struct Layer {
  std::uint64_t virtual_size = 0;
  Extents extents = {};  // aligned to clusters of its own
  // As StreamReader::read(), or, if the merge is read backwards, from any place.
  std::function<void(std::uint64_t offset, std::span<std::byte> out)> read = {};
  std::function<void()> finish = {};  // nothing more is read
};

// What the merged file says of zeros that hide something in an older file.
enum class Hidden : std::uint8_t {
  left_out,  // nothing is behind the merged file
  zero,      // it may be read on top of the older files, too
};

// What a reader of the whole chain sees: per guest cluster the newest file that has it wins.
// The files' virtual sizes may differ (a disk was resized): the last one's counts; what lies beyond
// an older file's end reads as zeros.
class Merge {
 public:
  explicit Merge(std::vector<StreamReader> oldest_first);
  explicit Merge(std::vector<Layer> oldest_first, Hidden hidden = Hidden::left_out);
  ~Merge();

  const Plan& plan() const;  // of the merged file: sequential, without backing file
  // The bytes [offset, offset + out.size()) of the merged file, at or after what was asked for last
  // (what lies between is skipped).  Whoever has read the last byte knows that every stream has
  // ended well.  Throws Error.
  void read(std::uint64_t offset, std::span<std::byte> out);
  // The whole file.
  void write(const Sink& sink);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qcow2
