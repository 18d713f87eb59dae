// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tm/host/lib/hypervisor.h"
#include "tm/lib/host_request.h"

namespace host {

// Does the running domain have the images in Ceph that the request names?  Throws Error, naming the
// disk, when it does not: what is taken of them would be no backup of this guest.
void insist_on_images(const HostRequest& request, const Domain& domain);

}  // namespace host
