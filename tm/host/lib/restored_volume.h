// SPDX-License-Identifier: Apache-2.0
// What an in-place restore puts in the place of a disk in LVM.
#pragma once

#include <filesystem>

#include "tm/host/lib/exchange_place.h"

namespace host {

// Makes the place's new volume from the bytes of a qcow2 file on this descriptor, to their end: in
// the pool of the old one, or in none, as that.  It is read back before it counts: Error for one
// that holds anything else.  A file of random layout waits in the directory meanwhile.
void receive_volume(const ExchangePlace& place, int fd, const std::filesystem::path& directory);

// Has somebody opened it?  libvirt gives qemu a device file of its own, so locks would not tell.
bool is_open_volume(const lvm::Volume& volume);

// Has it come, whole?  Then nothing of the transfer is left on it.
bool complete_volume(const ExchangePlace& place);

}  // namespace host
