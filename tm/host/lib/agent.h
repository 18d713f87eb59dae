// SPDX-License-Identifier: Apache-2.0
// Guests that must stand still for a moment.
#pragma once

#include <chrono>
#include <string>

#include "common/one/vm.h"
#include "tm/host/lib/hypervisor.h"

namespace host {

enum class FsStatus { thawed, frozen };

// Throws Error when no agent answers within `limit`.
void ping_agent(const Domain& domain, std::chrono::seconds limit);
FsStatus fs_status(const Domain& domain, std::chrono::seconds limit);

// How long a guest may stand still that is frozen by its agent, where nobody has said it: the
// services of a Windows guest give up after 10 s.  An agent that does not say within `limit` what
// it works for gets the longer time.
std::chrono::seconds usual_freeze_deadline(const Domain& domain, Freeze how,
                                           std::chrono::seconds limit) noexcept;

// Thaw (agent) or resume (suspend), and look whether it helped; again and again until it did, or
// `limit` has passed, or qemu has paused it for an I/O error: then its job must end first.  A
// freeze that an agent obeys late is thawed too, since only the status counts. True when the guest
// is known to run free, or to be gone: if it may have been migrated as it stood, an error is
// logged.
bool set_free(Hypervisor& hypervisor, const std::string& domain_uuid, Freeze how,
              std::chrono::seconds limit) noexcept;

}  // namespace host
