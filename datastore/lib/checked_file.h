// SPDX-License-Identifier: Apache-2.0
// A stored disk file, read back and held against its checksums on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/qcow2/stream.h"
#include "common/sums.h"

class CheckedFile {
 public:
  using Open = std::function<qcow2::Source()>;  // begins to read the file

  // `sums`: those taken when it was captured, if they are known.  `progress` is told how many bytes
  // came.  Nothing is read yet.
  CheckedFile(Open open, std::string name, std::uint64_t size, std::optional<std::string> sums,
              std::function<void(std::size_t)> progress);

  const std::string& name() const { return name_; }

  // Opens the file, if that was not done yet; many can be begun at the same time.
  void start();
  // Reads the map.  The reader takes its bytes through this object, which must
  // outlive it.  Throws Error for a file that is not of sequential layout or cannot be read,
  // Cancelled.
  qcow2::StreamReader open();
  // The rest of it.  What is wrong with it is told by the others; throws only Cancelled.
  void drain();

  // It could not be read, and why; empty: it could.
  const std::string& unreadable() const { return unreadable_; }
  // Where that, or the first wrong piece, begins; nullopt: nothing is wrong.
  std::optional<std::uint64_t> wrong_at() const;
  // The same on the guest's disk; nullopt: in the file's own tables, or they cannot be read.
  std::optional<std::uint64_t> wrong_at_guest() const;
  // In one sentence; empty: nothing.
  std::string problem() const;
  bool has_sums() const { return check_.has_value(); }
  // Wholly read, and each byte is as it was captured.
  bool proven() const { return has_sums() && ended_ && problem().empty(); }

 private:
  std::size_t read(std::span<std::byte> out);

  Open open_;
  std::string name_;
  std::uint64_t size_;
  std::optional<sums::Check> check_;
  std::function<void(std::size_t)> progress_;
  qcow2::Source source_;
  std::optional<qcow2::Plan> plan_;
  std::vector<std::byte> start_;  // for its header
  std::uint64_t seen_ = 0;
  bool ended_ = false;
  std::string unreadable_;
};
