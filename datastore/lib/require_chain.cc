// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/require_chain.h"

#include "common/error.h"

void require_chain(const Chain& chain, const std::function<bool(const std::string& source)>& there,
                   const std::string& place) {
  for (const auto& one : chain.increments())
    if (!there(one.source))
      throw Error{std::string{broken_chain} + ": increment " + std::to_string(one.id) + ", " +
                  one.source + ", is not in " + place +
                  " any more; the next backup begins a new one"};
}
