// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "datastore/rsync/lib/protocol.h"

namespace rsync {

// What the server answers to `verify`.  Throws Error, Cancelled.
std::string server_verify(const Request& request);

}  // namespace rsync
