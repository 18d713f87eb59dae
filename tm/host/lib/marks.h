// SPDX-License-Identifier: Apache-2.0
// What each disk was when an increment was taken: <vm dir>/backup.marks.
//
// A bitmap only says what changed since somebody made it.  The marks say that it was us, for
// this increment, on this very image of this size: if one of them differs, the next increment must
// hold everything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "common/nbd/edges.h"

namespace host {

struct Mark {
  std::string bitmap;        // its name
  std::uint64_t size = 0;    // of the disk, bytes
  std::string image;         // identity_of() the image file
  std::int64_t created = 0;  // of libvirt's checkpoint, epoch; 0: made while the VM was off
  nbd::Edges data = {};      // what of the disk was allocated (nbd::Map::data); empty: unknown
  std::string token = {};    // token_of() the bitmap; empty: there was none to be had
  std::string capture = {};  // BackupConfig::capture
  std::uint64_t length = 0;  // of the image file, bytes; it only grows; 0: an older version's mark
  std::optional<std::string> backing = {};  // backing_of() the image; none: an older version's mark
  bool operator==(const Mark&) const = default;
};

class Marks {
 public:
  // Those of this VM.  Damaged or unreadable marks are as good as none.
  explicit Marks(const std::filesystem::path& vm_dir);

  std::optional<Mark> find(int increment, int disk) const;
  nbd::Edges data(int increment, int disk) const;  // of that mark, if there is one
  // What the bitmaps of this VM's increment are called; as contract 4.3 says, where no mark tells.
  std::string bitmap(int vm_id, int increment) const;
  // Replaces what is known of this increment, forgets all but it and `keep`, durably.
  void write(int increment, const std::map<int, Mark>& disks, int keep);

 private:
  std::filesystem::path file_;
  std::map<int, std::map<int, Mark>> increments_;
};

// Which file this is (what a link points to): its inode and, where the file system knows it, the
// time of its birth, since the inode of a removed file is soon another's.
std::string identity_of(const std::filesystem::path& file);
// Of the file that a link points to; 0 for a device.  Throws Error.
std::uint64_t length_of(const std::filesystem::path& file);
// The name of its backing file, as its header says; "": it has none.  Throws Error.
std::string backing_of(const std::filesystem::path& qcow2);

// The name of checkpoint and bitmap: "one-<vm id>-<increment>" (contract 4.3), and "-<capture>"
// where whoever asks has a name for the backup.  Only then does a bitmap that lies in an older copy
// of the image never have the name of another one.
std::string checkpoint_name(int vm_id, int increment, const std::string& capture = {});
// The increment of such a name of this VM.
std::optional<int> checkpoint_increment(int vm_id, const std::string& name);

}  // namespace host
