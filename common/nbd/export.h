// SPDX-License-Identifier: Apache-2.0
// A disk that qemu serves over NBD on a unix socket: its map, and its bytes read in parallel.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/nbd/edges.h"
#include "common/nbd/limiter.h"
#include "common/qcow2/extent.h"
#include "common/qcow2/plan.h"
#include "common/qcow2/stream.h"

namespace nbd {

struct Export {
  std::filesystem::path socket;
  std::string name;                        // of the export
  std::optional<std::string> bitmap = {};  // exported as "qemu:dirty-bitmap:<bitmap>"
  // Of a disk in layers: so many, from the topmost one down, have what changed (qemu-nbd
  // --allocation-depth).  0: what the layers are does not matter.
  std::uint32_t layers = 0;
};

// Who reads what is absent from the result?
enum class Base {
  none,    // nobody: a hole need not be written down (a full)
  parent,  // the file before: a hole must be written down as zeros (an increment)
};

struct Map {
  std::uint64_t size = 0;         // of the disk, bytes
  std::uint64_t dirty_bytes = 0;  // as bitmap or layers count them; `size` without either
  qcow2::Extents extents;         // ready for a Plan
  // What is allocated, whatever it reads as: that a file system has found zeros changes nothing. Of
  // a disk with very many pieces, the topmost most_pieces of them.  Empty: nobody has looked.
  Edges data = {};
};

inline constexpr std::size_t most_pieces = 16'384;

// Was the disk, which has the size that it had, smaller since it held this `data` and the bitmap
// began?  Then what it held from there on is gone, or other data is in its place (qemu-img resize
// --preallocation), and nothing of that is dirty: qemu's bitmaps do not tell.  Not seen where all
// of that was data and all of it is again.
bool was_smaller(const Edges& data, const Map& now);

// Asks for the block status of the whole disk.  With a bitmap or layers: what is clean is absent,
// what is dirty is data or (a hole, reads as zeros) zero.  Without: data, and holes as `base` says.
// Throws Error naming the export; Cancelled.  Each request has a deadline.
Map map(const Export& source, Base base, std::chrono::seconds deadline = std::chrono::seconds{120});

struct ReadOptions {
  int connections = 4;                 // more than one only where the server says it is safe
  int in_flight = 4;                   // requests on each connection
  std::uint32_t request = 1 << 20;     // bytes, a multiple of the cluster size
  std::chrono::seconds deadline{120};  // of each request, from when it is sent
  std::shared_ptr<Limiter> limiter = {};
  // Called with the number of bytes read so far, from one thread at a time.
  std::function<void(std::uint64_t)> progress = {};
  // Another thread says stop: the copy ends with Cancelled.
  const std::atomic<bool>* stop = nullptr;
};

// Writes the whole file of `plan` into `sink`, in order: metadata, then the data clusters read from
// the export by several requests at a time.  Returns the bytes read over NBD.
// A read error, a lost connection or a missed deadline throws Error: never a short file.
std::uint64_t copy(const Export& source, const qcow2::Plan& plan, const qcow2::Sink& sink,
                   const ReadOptions& options = {});

}  // namespace nbd
