// SPDX-License-Identifier: Apache-2.0
// What becomes of layers that no increment needs any more (INCREMENT_MODE=SNAPSHOT).
//
// Layers are only ever added on top, and merged below the active one: there is no moment at which
// the guest's disk is not whole.
#pragma once

#include <filesystem>
#include <string>

#include "tm/host/lib/disk_layers.h"
#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/layer_book.h"

namespace host {

// One disk of a VM; `running` is its domain, or null when it is off.
struct LayeredDisk {
  std::filesystem::path vm_dir;
  int id = -1;
  std::string target;
  const Domain* running = nullptr;
};

// The link of a disk points to the layer that the running guest writes to; if the one that put that
// layer there died before it could change the link, it does now.  Nothing to do when it is off.
void follow_running(const LayeredDisk& disk);

// Merges what the increment `last` (the last one that the core has) and those before it made, as
// far as it is safe now, into the base; and what attempts after it made, into one layer.  A retry
// finds all that it needs.  -1: no increment counts.  Removes the files that are part of no disk
// any more.  Throws Error; what could not be done now can be done next time.
void merge_layers(const LayeredDisk& disk, LayerBook& book, int last);

// Removes files of layers that were made, and that neither the link nor the running guest uses.
void sweep_layers(const LayeredDisk& disk, LayerBook& book);

}  // namespace host
