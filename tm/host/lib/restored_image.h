// SPDX-License-Identifier: Apache-2.0
// What an in-place restore puts in the place of a disk in Ceph.
#pragma once

#include <filesystem>

#include "tm/host/lib/exchange_place.h"

namespace host {

// Makes the place's new image from the bytes of a qcow2 file on this descriptor, to their end: with
// the features of the old one, if there is one.  It is read back before it counts: Error for one
// that holds anything else.  A file of random layout waits in the directory meanwhile.
void receive_image(const ExchangePlace& place, int fd, const std::filesystem::path& directory);

// Has it come, whole?  Then nothing of the transfer is left on it.
bool complete_image(const ExchangePlace& place);

}  // namespace host
