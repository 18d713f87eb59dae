// SPDX-License-Identifier: Apache-2.0
// Putting a new layer under a running guest.
//
// The guest's processors stand still from before the layers change until the links of the disks say
// so too.  Nothing is written in between, so whoever dies there, the VM that is started on the link
// finds all that its guest was told is safe.  (The links cannot be first: qemu opens a layer anew,
// by the name that it was started on, when it may no longer be written to.)
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tm/host/lib/capture.h"
#include "tm/host/lib/disk_layers.h"

namespace host {

struct NewLayer {
  int disk = -1;
  std::string target;
  std::filesystem::path file;
  std::filesystem::path link;
  std::string link_text;  // what the link says then
};

// Enters in the journal that the links of these disks may be behind, and that the guest is to be
// resumed.  Before anything stands still, since this is slow.
void announce_switch(Capture& capture, const Domain& domain, const std::vector<NewLayer>& layers);

// Nothing of it has happened, nor will it.
void forget_switch(Capture& capture);

// Stops the processors (if they run), changes the layers, changes the links, lets them go on.
// Throws Error; then links and layers are of one mind all the same.
void switch_layers(Capture& capture, Hypervisor& hypervisor, const Domain& domain,
                   const std::vector<NewLayer>& layers, const std::function<void()>& change);

// What a switch that died owes: the links follow the running guest, and it goes on.  It does so
// also when the links cannot be set right; then no resume is owed any more, and Error is thrown.
void finish_switch(Journal& journal, Hypervisor& hypervisor, const std::filesystem::path& vm_dir);

// The external snapshot that makes all these layers active at one point in time.
void snapshot(const Domain& domain, const std::string& name, const std::vector<NewLayer>& layers,
              const std::vector<std::string>& other_targets);

}  // namespace host
