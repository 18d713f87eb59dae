// SPDX-License-Identifier: Apache-2.0
// An RBD image of a Ceph cluster and its snapshots, by the program rbd: it comes with the version
// of Ceph that the host has, and nothing of Ceph has to be on a host without.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/process.h"
#include "common/qcow2/extent.h"

namespace rbd {

struct Image {
  std::string pool, name_space, name;  // a name space may be empty
  // How the cluster is reached; empty: as Ceph's own configuration says.
  std::string user;      // without "client."
  std::string conf;      // a file
  std::string key_file;  // a file

  std::string display() const;  // "pool/name" or "pool/name space/name"
  bool operator==(const Image&) const = default;
};

// "pool/name" or "pool/name space/name".  BadRequest for anything else, and for characters that
// mean something to rbd or to qemu.
Image parse_image(std::string_view text);

struct Access {
  // For each answer of the cluster: a cluster that is not there would be waited for without end.
  std::chrono::seconds deadline{30};
  // A cancellation does not stop it: for what undoes.
  bool shielded = false;
};

struct Snapshot {
  std::string name;
  std::uint64_t size = 0;  // of the image then, bytes
  std::uint64_t id = 0;    // Ceph's own: no other one of the image has it, nor ever had
};

// All of these throw Error in rbd's words, and Cancelled.
std::vector<Snapshot> snapshots(const Image& image, const Access& access);
void create_snapshot(const Image& image, const std::string& snapshot, const Access& access);
// A program on this host that is making it, whoever began it: it outlives one who was killed.
std::optional<Process> maker_of(const Image& image, const std::string& snapshot);
void protect_snapshot(const Image& image, const std::string& snapshot, const Access& access);
// Also a protected one; nothing if there is none, or no such image.
void remove_snapshot(const Image& image, const std::string& snapshot, const Access& access);

// What differs between two snapshots: data, or zero where something was before.  Without `since`:
// all that there is (what the image is cloned from, too).  `size` is that of the snapshot.
qcow2::Extents difference(const Image& image, const Snapshot& snapshot,
                          const std::optional<std::string>& since, const Access& access);
// For tests: the lines of `rbd diff`, put together.
class DiffLines {
 public:
  explicit DiffLines(std::uint64_t size) : size_{size} {}
  void add(std::string_view line);  // Error for one that is not understood
  const qcow2::Extents& extents() const { return extents_; }

 private:
  std::uint64_t size_;
  qcow2::Extents extents_;
};

// The snapshot as a file name for qemu's programs, which have no answer fail after the deadline.
std::string qemu_name(const Image& image, const std::string& snapshot,
                      std::chrono::seconds deadline);

}  // namespace rbd
