// SPDX-License-Identifier: Apache-2.0
// Which layers of the disks a VM's backups have made, and for which increment:
// <vm dir>/backup.layers (INCREMENT_MODE=SNAPSHOT).
//
// A layer is a file of its number as name (contract 4.4).  Lost or damaged, the book costs a whole
// increment at most: what was not written here is told by the names, as the core's own driver does.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace host {

class LayerBook {
 public:
  explicit LayerBook(const std::filesystem::path& vm_dir);

  bool empty() const { return disks_.empty(); }
  // The lowest layer that has what was written after this increment was taken.
  std::optional<std::string> since(int increment, int disk) const;
  // Layers of the disk that were made, and perhaps are no longer part of it.
  std::set<std::string> made(int disk) const;

  // Each is durable when it returns.
  void add(int disk, const std::string& layer);     // about to be made, or to go
  void forget(int disk, const std::string& layer);  // the file is gone
  // An increment is about to be taken: what is written after it goes to these layers, by disk.
  // Other increments than it and `keep` are history.
  void begin(int increment, const std::map<int, std::string>& layers, int keep);
  // The layer has another name now.
  void rename(int disk, const std::string& from, const std::string& to);

 private:
  struct Disk {
    std::set<std::string> made;
    std::map<int, std::string> since;  // by increment
  };
  void load();
  void save() const;

  std::filesystem::path file_;
  std::map<int, Disk> disks_;
};

}  // namespace host
