// SPDX-License-Identifier: Apache-2.0
// Whether the directories of a chain are what was backed up.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/one/chain.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/verification.h"

namespace rsync {

// The backups of a VM, by name, for one who verifies them, on the server or from afar.
struct Backups {
  std::function<std::optional<StoredChain::Sizes>(const std::string& name)> files;  // nullopt: none
  std::function<qcow2::Source(const std::string& name, const std::string& file)> open;
  std::function<bool()> any;  // is there any at all
};

// The reply of datastore/rsync/verify.  `depth`: structure or data.  Throws Error where nothing of
// the VM is there: it may be no more than a file system that is not mounted.
std::string verify_chain(const Chain& chain, const std::string& depth, const Texts& known,
                         const Backups& backups);

}  // namespace rsync
