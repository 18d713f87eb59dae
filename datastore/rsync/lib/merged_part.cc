// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/merged_part.h"

namespace rsync {

Chain from_last_merged(const Chain& chain,
                       const std::function<bool(const Increment& increment)>& is_merged) {
  const auto& all = chain.increments();
  auto first = all.end() - 1;
  while (first != all.begin() && !is_merged(*first)) --first;
  return Chain{{first, all.end()}};
}

}  // namespace rsync
