// SPDX-License-Identifier: Apache-2.0
// Files of a repository that are read side by side, by a `restic dump` each.
#pragma once

#include <memory>
#include <vector>

#include "common/qcow2/stream.h"
#include "datastore/restic/lib/dump.h"

namespace restic {

class SideBySide {
 public:
  // The bytes of `dump`.  The first of them comes when all have begun that were added until then:
  // one that has ended takes its lock away, and restic waits long for a lock that is gone.
  qcow2::Source add(std::shared_ptr<Dump> dump);

 private:
  using Beginners = std::vector<std::weak_ptr<Dump>>;
  std::shared_ptr<Beginners> beginners_ = std::make_shared<Beginners>();
};

}  // namespace restic
