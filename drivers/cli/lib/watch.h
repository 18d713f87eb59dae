// SPDX-License-Identifier: Apache-2.0
// Waiting for what the service does.
#pragma once

#include <cstdint>
#include <string>

#include "common/one/rpc.h"

namespace cli {

// What there is of a machine's backups, to tell afterwards whether there is another one.
struct BackupsThere {
  int newest_image = -1;
  int last_increment = -1;
  std::int64_t failed = -1;  // which attempt at the last one, if it has failed
  std::string why{};         // it has
};
BackupsThere backups_there(const Core& service, int vm);

// Until nothing of this machine waits or runs any more: says on stderr for what it waits, and that
// it runs.  An Error when there is no backup that was not there `before`.  When it is cancelled the
// backup goes on, which it says, and throws Cancelled.
void watch_backup(const Core& service, int vm, const BackupsThere& before);

// Until its restore in place has ended: says on stderr how far it is.  An Error when it has failed;
// as above when it is cancelled.
void watch_restore(const Core& service, int vm, int image);

// Until what one.image.restore has `made`, "<template> <image>...", is there: says on stderr how
// far the downloads are.  An Error when one of them has failed; as above when it is cancelled.
void watch_objects(const Core& service, int image, const std::string& made);

// Until the "deletion" or "merge" of an image, which was ordered, is done; the same.
void watch_change(const Core& service, int image, const std::string& what);

}  // namespace cli
