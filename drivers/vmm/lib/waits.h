// SPDX-License-Identifier: Apache-2.0
// Does the core still wait for the result of a backup?
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/one/xml.h"

namespace front {

// other: it waits, but not for that backup.
enum class Waits : int { yes = 0, no = 1, unknown = 2, other = 3 };

// What a VM has of backups, as one word.  Each that is good changes it: there is one image more, or
// one increment.  nullopt: the document does not say, as that of a core which drops what it does
// not wait for itself (settle.h).
std::optional<std::string> backups_of(const XmlNode& vm);

// By the state of the VM (LCM_STATE 69 or 70).  A core that begins to run is asked again until it
// answers, for some minutes.  "Yes" takes a second, so that a request that is on its way comes
// first.  With `before`, only for the backup that was asked for when the VM had that.  Throws
// Cancelled.
Waits core_waits_for(std::int64_t vm_id, const std::optional<std::string>& before);

}  // namespace front
