// SPDX-License-Identifier: Apache-2.0
// Which backups are ours to run.
#pragma once

#include <filesystem>
#include <string>

namespace front {

// True if the BACKUP message with this payload asks for what vmm/kvm/backup does by our own
// drivers: one below tm/ that has the action `recover`, and one below datastore/ that has
// `discard`, which only ours have; and not for an interactive backup.  False for whatever is odd:
// the stock driver has its own words for that.
bool serves(const std::string& payload, const std::filesystem::path& remotes);

}  // namespace front
