// SPDX-License-Identifier: Apache-2.0
// Which way the server lets us in.
#include "common/one/action.h"
#include "datastore/rsync/lib/helper_store.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

void with_store(const Settings& settings, const std::function<void(Store&)>& use) {
  HelperStore store{settings};
  use(store);
}

}  // namespace rsync
