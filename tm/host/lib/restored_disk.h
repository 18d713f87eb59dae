// SPDX-License-Identifier: Apache-2.0
// What an in-place restore puts in the place of a VM's disks, and of the state of its TPM.
#pragma once

#include <filesystem>
#include <vector>

#include "tm/host/lib/exchange.h"
#include "tm/lib/restore_request.h"

namespace host {

// All that is exchanged (contract 3.7).
std::vector<Exchange::Place> places_of(const RestoreRequest& request);

// Error that names the disk if somebody has it open: the VM runs.
void insist_on_rest(const RestoreRequest& request);

// Makes the new file of a disk from the bytes of a qcow2 file on this descriptor, to their end:
// with holes for zeros, durable, with owner and mode of the old one.  It is looked at before it
// counts: Error for one that names other files or is damaged.  Bitmaps in it are removed, since
// they track nothing; a VM that takes it for raw gets it so.  One in Ceph: see restored_image.h.
void receive_disk(const RestoreRequest& request, const RestoredDisk& disk, int fd);
// The same for the document with the state of a TPM.
void receive_tpm(const RestoreRequest& request, int fd);

// All new files and images have come, and the links that belong to them are made.
void complete(const RestoreRequest& request);

}  // namespace host
