// SPDX-License-Identifier: Apache-2.0
// Away from whoever called: his unit, his session and his cgroup may be ended at any time.
#pragma once

#include <string>

#include "tm/lib/host_request.h"

namespace host {

// This process, and all that it starts, moves out of its caller's cgroup, under the limits of the
// datastore.  Where only another program can do that, this one is executed again, with the same
// process id and descriptors, as `<verb> <descriptor of the request>`: it does not return then.
// Never a reason to fail: what cannot be had is said in the log.  Before any lock or change.
void move_apart(const HostRequest& request, const std::string& verb);

}  // namespace host
