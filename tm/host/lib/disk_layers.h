// SPDX-License-Identifier: Apache-2.0
// The files that a disk consists of: an active layer and what it is based upon, as the files
// themselves say; and the names of stock's layers (contract 4.4).
//
//   <vm dir>/disk.0 -> disk.0.snap/3       the link that the VM is started on
//   <vm dir>/disk.0.snap/3                 the active layer, based upon .../0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace host {

struct DiskLayers {
  int id = -1;
  std::filesystem::path link;      // <vm dir>/disk.<id>
  std::filesystem::path dir;       // where its layers lie, or are going to: as the link says it
  std::filesystem::path real_dir;  // the same without symbolic links
  // Real paths, from the active layer down; but layer 0 is <real_dir>/0, even if that is a link to
  // the image of a persistent disk.
  std::vector<std::filesystem::path> files;
  bool plain = false;      // the "link" is the disk itself: no layers yet
  bool encrypted = false;  // one of them is, by qemu

  const std::filesystem::path& active() const { return files.front(); }
  std::size_t layers() const;  // so many files, from the top, are layers in `dir`
  std::optional<std::size_t> find(const std::string& layer) const;  // where in `files`
  std::filesystem::path file_of(const std::string& layer) const { return dir / layer; }
};

// The disk as it is now; the VM may be running on it.  Throws Error that names it when it is no
// qcow2 file or its layers lie in no such directory (`for_layers`), or the chain cannot be read.
DiskLayers look_at_layers(const std::filesystem::path& vm_dir, int disk, bool for_layers);

// "0", "12", but not "012".
bool is_layer_name(const std::string& name);
// Stock's choice for what comes after `increment`, or higher: above all that are there, since stock
// starts the next VM on the highest.
std::string free_layer_name(const DiskLayers& disk, int increment);

// Gives a plain disk its place as layer 0, under both names (nothing moves, nothing is copied).
void adopt(DiskLayers& disk);
// An empty layer on `below`, as its owner's; durable.
void make_layer(const std::filesystem::path& file, const std::filesystem::path& below);
// What the link of this disk says when it points to this layer.
std::string link_text(const DiskLayers& disk, const std::string& layer);
// Lets the link say that; atomically and durably.
void relink(const std::filesystem::path& link, const std::string& text);

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace host
