// SPDX-License-Identifier: Apache-2.0
// What `rbd export-diff` writes (versions 1 and 2), and `rbd export --export-format 2`, which is
// several of them behind each other: read and written by ourselves.
//
// Format: doc/dev/rbd-diff.rst and doc/dev/rbd-export.rst of the sources of Ceph.  The bytes come
// from a store, so nothing in them is trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/qcow2/disk_file.h"
#include "common/qcow2/stream.h"

namespace rbd {

// Where such a file comes from: its next bytes, all that are asked for, or an Error.
class DiffInput {
 public:
  virtual ~DiffInput() = default;
  virtual void read(std::span<std::byte> out) = 0;
  virtual void skip(std::uint64_t length) = 0;
  virtual std::uint64_t position() const = 0;
  virtual bool at_end() = 0;
};

class DiffReader {
 public:
  // Reads the header.  `name` is for messages.  Throws Error: this is none, or cut short.
  DiffReader(DiffInput& input, std::string name);

  struct Diff {
    std::string from, to;  // snapshots; empty: the beginning, and the image itself
    std::uint64_t size = 0;
  };
  // A part of the disk that has changed: it follows the one before.  What was not read of its data
  // is skipped by the next call.
  struct Change {
    qcow2::Extent extent;        // data or zero
    std::uint64_t position = 0;  // of its data in the file
  };
  // The next diff; nullopt: the file has ended, and is whole.  After the first call, one after all
  // changes of the last.
  std::optional<Diff> next_diff();
  std::optional<Change> next_change();  // nullopt: the end of this diff
  void read(std::span<std::byte> out);  // of the data of the last change

 private:
  struct Tag {
    char name;
    std::uint64_t length;  // of what follows, in version 2
  };
  bool banner_is(std::string_view wanted);
  Error error(const std::string& why) const;
  std::uint64_t number();
  std::string text();
  Tag tag(char end);
  void read_image_header();
  void begin_diff();
  void read_label(Diff& diff, const Tag& tag);
  Change change(const Tag& tag);

  DiffInput& input_;
  const std::string name_;
  int version_ = 0;
  bool header_read_ = false;     // of the next diff
  std::uint64_t left_ = 0;       // diffs
  std::uint64_t data_left_ = 0;  // bytes of the last change
  std::uint64_t size_ = 0, end_ = 0;
  std::optional<Tag> ahead_;
};

// Do files begin so?  Twelve bytes are enough.
bool is_diff(std::span<const std::byte> begin);

// The diffs in a file that is read at random, each a layer on top of the one before.  With several,
// they end with the first one up to a snapshot of a backup ("one_backup..."): what comes after that
// is in no backup.
std::vector<qcow2::Layer> layers(const qcow2::ReadAt& read, std::uint64_t file_size,
                                 const std::string& name, qcow2::Behind behind);

// Writes a diff, version 1, of an image that was empty.
class DiffWriter {
 public:
  DiffWriter(qcow2::Sink sink, std::uint64_t size);
  void data(std::uint64_t offset, std::span<const std::byte> bytes);
  void finish();

 private:
  qcow2::Sink sink_;
};

}  // namespace rbd
