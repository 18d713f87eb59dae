// SPDX-License-Identifier: Apache-2.0
// The front-end's side of an in-place restore (contract 3.7).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/one/action.h"
#include "tm/lib/restore_request.h"

// Downloads the disks of a backup image, and lets restore_host put them in the place of the VM's.
// All of them are there and looked at before the first is exchanged, and either all are exchanged
// or none.  Error: "Error restoring VM disks: ...".
//
// `layout`: of the disks that are files; nullopt: as the driver of each disk has it.  Those in Ceph
// and in LVM are restored there, by whichever name the driver was called.
std::string restore(const Request& request, std::optional<Layout> layout);

inline constexpr std::string_view restore_args = "HOST:DIR VM_ID IMAGE_ID INCREMENT_ID DISK_ID";
inline constexpr std::string_view restore_description =
    "VM, image and datastore are asked for from the core.  INCREMENT_ID -1 is the last, DISK_ID -1 "
    "means all disks of the backup that the VM still has; what other disks it has stay as they "
    "are, and are named in a warning.  With disk 0 comes the state of a "
    "TPM.\n\n"
    "The new disks are made beside the old ones, as F<*.vmvault-new>, and the old ones stay, as "
    "F<*.vmvault-old>, until all are exchanged.  Snapshots of the disks go with the old ones.\n\n"
    "An image in Ceph is made anew beside the old one, as F<IMAGE.vmvault-new-*>, on the host of "
    "the VM, read back, and takes the old one's name with all the others.  So is a volume of LVM, "
    "as F<VOLUME.vmvault-new-*> in the same pool.";
