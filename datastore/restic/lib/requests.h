// SPDX-License-Identifier: Apache-2.0
// The repository that a request is about.
#pragma once

#include "datastore/lib/backup_image.h"
#include "datastore/lib/vm_request.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// BadRequest when the image names neither job nor VM.
Restic open(const BackupImage& image);

// Worked on from the VM's host, or from the bridge that the core has chosen.
Restic open(const VmRequest& request);
// What that works on; asks nobody.
Repository repository_of(const VmRequest& request);

}  // namespace restic
