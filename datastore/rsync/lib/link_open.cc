// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_open.h"

#include "datastore/rsync/lib/link_process.h"

namespace rsync {

std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                Terms terms) {
  const auto by = target.here() ? ProcessLink::By::itself : ProcessLink::By::ssh;
  return std::make_unique<ProcessLink>(target.on(argv), by, target.name(), terms);
}

}  // namespace rsync
