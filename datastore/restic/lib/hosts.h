// SPDX-License-Identifier: Apache-2.0
// The machines from which we have worked on a repository:
// <var dir>/restic-hosts.<datastore>.<repository>.  A lock in the repository names the machine of
// its owner, and only there can be seen whether he lives.
#pragma once

#include <optional>
#include <string>

#include "datastore/restic/lib/repository.h"

namespace restic {

void note_host(const Repository& repository, const std::string& host);

// The noted one whose name is `name`, the domain aside.
std::optional<std::string> known_host(const Repository& repository, const std::string& name);

}  // namespace restic
