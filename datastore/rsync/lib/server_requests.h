// SPDX-License-Identifier: Apache-2.0
// What the server does for a request (protocol.h).
#pragma once

#include <string>

#include "datastore/rsync/lib/protocol.h"

namespace rsync {

// The answer goes to stdout.  Throws Error.
void serve(const Request& request);

}  // namespace rsync
