// SPDX-License-Identifier: Apache-2.0
// A Link to a program on the server, by the transport that suits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/link_target.h"
#include "datastore/rsync/lib/link_wait.h"

namespace rsync {

// Starts `argv` on the server.
std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                Terms terms = {});

}  // namespace rsync
