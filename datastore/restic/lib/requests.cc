// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/requests.h"

#include "common/error.h"

namespace restic {

Restic open(const BackupImage& image) {
  if (!image.job_id() && !image.has_vm())
    throw BadRequest{image.display() + " names neither a VM nor a backup job"};
  return {image.datastore(), repository_id(image.has_vm() ? image.vm_id() : -1, image.job_id()),
          Machine{}};
}

Repository repository_of(const VmRequest& request) {
  return {request.datastore, repository_id(request.vm_id, request.job_id)};
}

Restic open(const VmRequest& request) {
  return {request.datastore, repository_id(request.vm_id, request.job_id), request.machine()};
}

}  // namespace restic
