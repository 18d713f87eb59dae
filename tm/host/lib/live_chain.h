// SPDX-License-Identifier: Apache-2.0
// The layers of a running domain's disk as libvirt knows them, and jobs on them.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tm/host/lib/disk_layers.h"
#include "tm/host/lib/hypervisor.h"

namespace host {

struct LiveLayer {
  std::filesystem::path name;  // what libvirt and qemu call the file
  std::string index;           // "vda[2]"; empty if libvirt does not say
};

// From the active layer down.  Throws Error when the domain has no such disk.
std::vector<LiveLayer> live_chain(const Domain& domain, const std::string& target);

// Does a disk of the domain use this file, in whatever layer?
bool uses(const Domain& domain, const std::filesystem::path& file);

// qemu opens a layer anew, by the name that it knows, when it may be written to or may no longer
// be.  A VM that was started on a link which points elsewhere now has a layer for which that
// would open the wrong file, and lose the disk.  Such a layer must only be read.
bool may_be_reopened(const LiveLayer& live, const std::filesystem::path& file);

// Waits for the block job of this type (virDomainBlockJobType) of this disk, if there is one,
// saying from time to time how far it is.  A cancellation ends the job (nothing is lost by that),
// and throws Cancelled.
void wait_for_end(const Domain& domain, const std::string& target, int type,
                  const std::string& doing);
// A mirror, or a commit of the active layer, which goes on: returns when it has caught up.  `type`
// is of virDomainBlockJobType.
void wait_until_ready(const Domain& domain, const std::string& target, int type,
                      const std::string& doing);

// Ends a copy of the disk that a dead process of ours began: one to a file in this directory.
void abort_copy_to(const Domain& domain, const std::string& target,
                   const std::filesystem::path& dir);

// Merges the layers from `top` (below the active one) down to the one above `base` into `base`; the
// numbers count `disk.files`.  What they were is still there.  Throws Error; then nothing is lost,
// and doing it again is right.
void commit_running(const Domain& domain, const std::string& target, const DiskLayers& disk,
                    std::size_t top, std::size_t base);
void commit_stopped(const DiskLayers& disk, std::size_t top, std::size_t base);

}  // namespace host
