// SPDX-License-Identifier: Apache-2.0
// Which way the server lets us in.
#include "common/one/action.h"
#include "datastore/rsync/lib/helper_store.h"
#include "datastore/rsync/lib/sftp_store.h"
#include "datastore/rsync/lib/store.h"

namespace rsync {

void with_store(const Settings& settings, const std::function<void(Store&)>& use) {
  try {
    HelperStore store{settings};
    use(store);
  } catch (const NoHelper& why) {
    log(Level::info, "only SFTP: " + std::string{why.what()});
    SftpStore store{settings};
    use(store);
  }
}

}  // namespace rsync
